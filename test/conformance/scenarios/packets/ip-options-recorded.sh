# Record route: a router puts its address in.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.13 $VIP opt 0707040000000000 udp 30001 $port data x
done
