# ICMP errors with quotes that are odd, damaged, about somebody else, or on a way of their own.
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  serve "--sctp-service $VIP:$port -s rr" $method 1
  client=10.0.0.$((port + 6)) other=10.0.0.$((port + 10))
  open 1 tcp $client 30001 $VIP $port
  open 1 sctp $client 30001 $VIP $port
  error="ip $client $VIP icmp 3 3 quote ip $VIP $client"
  c $error tcp $port 30001 A badsum
  for lie in 'ihl 4' 'ihl 15' 'len 1500' 'len 20' 'opt 01010101' mf 'off 8'; do c $error $lie tcp $port 30001 A; done
  c $error proto 253 size 20
  c $error sctp $port 30001 1 data
  c $error icmp 3 3 quote ip $client $VIP tcp 30001 $port A
  c $error icmp 0 0 data ping
  c $error ip $VIP $client tcp $port 30001 A
  c ip $other $VIP icmp 3 3 quote ip $VIP $client ttl 60 tcp $port 30001 A
  c ip $client $VIP ttl 1 icmp 3 3 quote ip $VIP $client ttl 60 tcp $port 30001 A
  c ip $client $VIP ttl 2 tos 0xc0 icmp 3 3 quote ip $VIP $client ttl 60 tcp $port 30001 A
  c ip $client $VIP opt 01010101 icmp 3 3 quote ip $VIP $client ttl 60 tcp $port 30001 A
  c ip $client $VIP icmp 3 3 quote ip 10.1.0.1 $client ttl 60 tcp 80 30001 A
  error="ip 10.1.0.1 $client icmp 3 3 quote ip $client 10.1.0.1"
  r1 $error tcp 30001 80 A
  r1 $error sctp 30001 80 1 data
  r1 $error off 8 tcp 30001 80 A
  r1 $error opt 01010101 tcp 30001 80 A
  r1 ip 10.1.0.1 $client ttl 1 icmp 3 3 quote ip $client 10.1.0.1 ttl 60 tcp 30001 80 A
done
settle
ipvs '-Ln --stats'
