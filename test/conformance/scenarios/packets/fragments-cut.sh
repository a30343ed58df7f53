# Fragments that are too large for the link to the real server.
ip link set d1 mtu 1400
for method in -m -g; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  fragment 1480 c ip 10.0.0.6 $VIP id 9$port udp $((30000 + port)) $port size 3000
done
