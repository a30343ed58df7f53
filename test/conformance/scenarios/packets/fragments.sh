# A datagram in pieces, and answers in pieces.
for method in -m -g; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  fragment 1480 c ip 10.0.0.12 $VIP id 7$port udp 30001 $port size 3000
  fragment 8 c ip 10.0.0.12 $VIP id 8$port udp 30001 $port data tiny
done
fragment 1480 r1 ip 10.1.0.1 10.0.0.12 id 90 udp 80 30001 size 3000
