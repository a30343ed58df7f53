# Record route, timestamp and no-operation.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.13 $VIP id 1 opt 01010101 udp 30001 $port data x
  c ip 10.0.0.13 $VIP id 2 opt 94040000 udp 30001 $port data x
done
r1 ip 10.1.0.1 10.0.0.13 opt 01010101 udp 80 30001 data y
