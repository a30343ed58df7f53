# ICMP of every kind, both ways, about one connection of TCP and one of UDP.
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  serve "-u $VIP:$port -s rr" $method 1
  open 1 tcp 10.0.0.7 30001 $VIP $port
  c ip 10.0.0.7 $VIP udp 30001 $port data hello
  for kind in '3 0' '3 2' '3 3' '3 4' '3 5' '3 13' '3 15' '4 0' '5 1' '11 0' '11 1' '12 0' '9 0' '17 0' '40 0' '0 0' '8 0'; do
    c ip 10.0.0.7 $VIP icmp $kind rest 0x05140000 quote ip $VIP 10.0.0.7 ttl 60 tcp $port 30001 A
    c ip 10.0.0.7 $VIP icmp $kind rest 0x05140000 quote ip $VIP 10.0.0.7 ttl 60 udp $port 30001 data abc
    [ $method = -m ] || continue
    r1 ip 10.1.0.1 10.0.0.7 icmp $kind rest 0x05140000 quote ip 10.0.0.7 10.1.0.1 ttl 60 tcp 30001 80 A
    r1 ip 10.1.0.1 10.0.0.7 icmp $kind rest 0x05140000 quote ip 10.0.0.7 10.1.0.1 ttl 60 udp 30001 80 data abc
  done
done
settle
ipvs '-Ln --stats'
