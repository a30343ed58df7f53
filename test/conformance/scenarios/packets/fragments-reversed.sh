# A datagram in pieces, the last one first.
for method in -m -g; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  fragment 1480 reversed c ip 10.0.0.12 $VIP id 7$port udp 30001 $port size 3000
done
