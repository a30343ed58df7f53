# The same without DF: cut on the way.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.6 $VIP udp $((30000 + port)) $port size 1472
done
ip link set d1 mtu 1400
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.6 $VIP udp $((30000 + port)) $port size 1472
done
title 'pmtu_disc=0: DF of the packet does not matter to the tunnel'
ip link set d1 mtu 1500
setting pmtu_disc 0
serve "-u $VIP:$((++port)) -s rr" -i 1
c ip 10.0.0.6 $VIP df udp $((30000 + port)) $port size 1472
