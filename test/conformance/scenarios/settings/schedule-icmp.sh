# An ICMP error about no connection opens one, and goes to its real server.
serve "-t $VIP:80 -s rr" -m 1 1
serve "-t $VIP:90 -s rr" -g 1 1
serve "-t $VIP:81 -s rr" -i 1 1
ipvs "-A -t $VIP:82 -s rr"
for mode in 0 1; do
  setting schedule_icmp $mode
  c ip 10.0.0.7 $VIP icmp 3 4 rest 1300 quote ip $VIP 10.0.0.7 ttl 60 tcp 80 30001 A
  c ip 10.0.0.8 $VIP icmp 11 0 quote ip $VIP 10.0.0.7 ttl 1 tcp 90 30001 A
  c ip 10.0.0.7 $VIP icmp 3 3 quote ip $VIP 10.0.0.7 ttl 60 tcp 81 30999 A
  c ip 10.0.0.7 $VIP icmp 3 3 quote ip $VIP 10.0.0.7 ttl 60 tcp 82 30999 A
  c ip 10.0.0.7 $VIP icmp 3 3 quote ip $VIP 10.0.0.7 ttl 60 tcp 83 30999 A
  connections
  list
done
settle
ipvs '-Ln --stats'
