# IP options: which go on as they are, and which the director answers or drops.
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  serve "-u $VIP:$port -s rr" $method 1
  client=10.0.0.$((port + 6))
  open 1 tcp $client 30001 $VIP $port
  for options in 00000000 01010101 01000000 94040000 94040001 94030000 8207010203040000 82000000 82010000 82ff0000 8803abcd \
    88040001 830704000000000000 8907040a00000100 83030400 0703040000 0707060000000000 4403050000000000 4408040000000000 4408050100000000 440809f000000000 ff020000 1e040102 55040000; do
    c ip $client $VIP opt $options tcp 30001 $port A seq 1001
    c ip $client $VIP opt $options udp 30002 $port data x
  done
  c ip $client $VIP ttl 1 opt 01010101 udp 30002 $port data x
  c ip $client $VIP df opt 01010101 udp 30002 $port size 1460
  for options in 01010101 94040000 82ff0000 8907040a00000100 ff020000; do
    r1 ip 10.1.0.1 $client opt $options tcp 80 30001 A
  done
done
