# A mark's service: whose ports are kept, and whose are not.
mark 5 any $VIP2/32
for persistent in '' '-p 100'; do
  ipvs "-A -f 5 -s rr $persistent"
  ipvs '-a -f 5 -r 10.1.0.1:8080 -m'
  ipvs '-a -f 5 -r 10.1.0.2:0 -m'
  ipvs '-a -f 5 -r 10.1.0.3:9090 -g'
  ipvs '-a -f 5 -r 10.1.0.4 -i'
  for client in 1 2 3 4; do
    for port in 80 8080 443; do c ip 10.0.0.$client $VIP2 tcp $((20000 + ++n)) $port S; done
    c ip 10.0.0.$client $VIP2 udp $((20000 + n)) 53 data x
  done
  r1 ip 10.1.0.1 10.0.0.1 tcp 8080 20001 SA
  connections
  list
  ipvs '-D -f 5'
done
