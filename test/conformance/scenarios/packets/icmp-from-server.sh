# A real server's ICMP errors about a connection go to its client, by masquerading translated back.
serve "-u $VIP:3901 -s rr" -m 1
c ip 10.0.0.3 $VIP id 7 udp 30001 3901 data abcdef
r1 ip 10.1.0.1 10.0.0.3 icmp 3 3 quote ip 10.0.0.3 10.1.0.1 ttl 63 id 7 udp 30001 80 data abcdef
r1 ip 10.1.0.1 10.0.0.3 icmp 3 4 rest 1300 quote ip 10.0.0.3 10.1.0.1 ttl 63 id 7 udp 30001 80
r1 ip 10.1.0.77 10.0.0.3 icmp 11 0 quote ip 10.0.0.3 10.1.0.1 ttl 1 id 7 udp 30001 80 data abcdef
serve "-t $VIP:3902 -s rr" -m 1
open 1 tcp 10.0.0.3 30002 $VIP 3902
r1 ip 10.1.0.1 10.0.0.3 icmp 3 4 rest 1300 quote ip 10.0.0.3 10.1.0.1 ttl 63 tcp 30002 80 A
r1 ip 10.1.0.1 10.0.0.3 icmp 3 13 quote ip 10.0.0.3 10.1.0.1 ttl 63 tcp 30002 80 A
settle
ipvs '-Ln --stats'
