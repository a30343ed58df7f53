# A masqueraded real server is told that its packet belongs to no connection.
serve "-t $VIP:80 -s rr" -m 1
serve "-t $VIP:90 -s rr" -g 1
for mode in 0 1; do
  setting nat_icmp_send $mode
  for flags in SA S A RA R; do r1 ip 10.1.0.1 10.0.0.3 tcp 80 30001 $flags; done
  r1 ip 10.1.0.1 10.0.0.3 tcp 81 30001 SA
  r1 ip 10.1.0.1 10.0.0.3 tcp 90 30001 SA
  r1 ip 10.1.0.1 10.0.0.3 udp 80 30001 data abc
  r1 ip 10.1.0.1 10.1.0.254 tcp 80 30001 S
  r1 ip 10.1.0.1 10.0.0.3 ttl 1 tcp 80 30001 A
  r2 ip 10.1.0.2 10.0.0.3 tcp 80 30001 A
done
connections
