# Packets without DF that are too large for the link to the real server, or to the client, are cut.
ip link set d1 mtu 1400
for method in -m -g; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.6 $VIP id 7$port udp $((30000 + port)) $port size 1472
  c ip 10.0.0.6 $VIP id 8$port opt 0101010194040000 udp $((30000 + port)) $port size 1464
done
serve "-t $VIP:80 -s rr" -m 1
c ip 10.0.0.6 $VIP id 5 tcp 30080 80 S size 1400
title 'one packet at a time'
serve "-u $VIP:53 -s rr -o" -g 1 2
for id in 61 62 63; do c ip 10.0.0.6 $VIP id $id udp 30053 53 size 1472; done
title 'answers'
ip link set d0 mtu 1300
serve "-u $VIP:81 -s rr" -m 1
c ip 10.0.0.6 $VIP udp 30081 81 size 1
r1 ip 10.1.0.1 10.0.0.6 id 77 udp 81 30081 size 1372
