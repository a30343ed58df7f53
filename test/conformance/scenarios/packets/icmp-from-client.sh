# The client's side's ICMP errors about answers go to the real server.
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  open 1 tcp 10.0.0.7 30001 $VIP $port
  c ip 10.0.0.7 $VIP icmp 3 4 rest 1300 quote ip $VIP 10.0.0.7 ttl 60 tcp $port 30001 A
  c ip 10.0.0.8 $VIP icmp 11 0 quote ip $VIP 10.0.0.7 ttl 1 tcp $port 30001 A
  c ip 10.0.0.7 $VIP icmp 3 3 quote ip $VIP 10.0.0.7 ttl 60 tcp $port 30999 A
done
connections
