# Addresses that are not a service's, and real servers that are clients.
serve "-t $VIP:80 -s rr" -m 1
serve "-u $VIP:53 -s rr" -g 1
for to in 10.0.0.255 255.255.255.255 224.0.0.1 0.0.0.0 10.0.0.254 10.1.0.254 10.1.0.9 10.0.0.9 172.16.1.1 9.9.9.9; do
  c ip 10.0.0.3 $to tcp 30001 80 S
  c ip 10.0.0.3 $to udp 30001 53 data x
done
r1 ip 10.1.0.1 $VIP tcp 30001 80 S
r2 ip 10.1.0.2 $VIP tcp 30001 80 S
r2 ip 10.1.0.2 $VIP udp 30001 53 data x
r1 ip 10.1.0.1 10.1.0.2 tcp 80 30001 SA
r1 ip 10.1.0.1 10.0.0.9 tcp 80 30001 SA
r1 ip 10.1.0.1 10.0.0.9 tcp 8 30001 S
r1 ip 10.1.0.1 10.0.0.9 udp 8 30001 data x
r1 ip 10.1.0.1 $VIP udp 53 53 data x
c ip 172.16.3.3 $VIP tcp 1 80 S
c ip 9.9.9.9 $VIP tcp 1 80 S
connections
