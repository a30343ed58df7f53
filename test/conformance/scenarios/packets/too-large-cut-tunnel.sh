# The same into a tunnel.
serve "-u $VIP:$((++port)) -s rr" -i 1
c ip 10.0.0.6 $VIP udp $((30000 + port)) $port size 1472
ip link set d1 mtu 1400
serve "-u $VIP:$((++port)) -s rr" -i 1
c ip 10.0.0.6 $VIP udp $((30000 + port)) $port size 1472
title 'pmtu_disc=0: DF of the packet does not matter to the tunnel'
ip link set d1 mtu 1500
setting pmtu_disc 0
serve "-u $VIP:$((++port)) -s rr" -i 1
c ip 10.0.0.6 $VIP df udp $((30000 + port)) $port size 1472
