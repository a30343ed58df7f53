# Wrong checksums of the transport are the real server's to find: they stay as wrong.
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  serve "-u $VIP:$port -s rr" $method 1
  c ip 10.0.0.1 $VIP tcp 30000 $port S badsum
  c ip 10.0.0.1 $VIP udp 30000 $port badsum data x
done
connections
