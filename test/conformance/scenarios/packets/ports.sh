# Ports that mean something, services of every port, and other protocols.
serve "-t $VIP:0 -s rr -p 100" -m 1 1
serve "-u $VIP:0 -s rr -p 100" -g 1 1
serve "-t $VIP:80 -s rr" -g 1 1
for to in 1 20 22 80 81 1023 1024 65535; do
  c ip 10.0.0.3 $VIP tcp 30001 $to S
  c ip 10.0.0.3 $VIP tcp 30001 $to A
  c ip 10.0.0.3 $VIP udp 30001 $to data x
done
for from in 0 1 20 22 80 500 4500 65535; do
  c ip 10.0.0.4 $VIP tcp $from 80 S
  c ip 10.0.0.5 $VIP tcp $from 443 S
  c ip 10.0.0.5 $VIP udp $from 53 data x
done
for protocol in 2 33 89 103 112 136 254; do c ip 10.0.0.3 $VIP proto $protocol size 20; done
connections
list
ipvs '-Ln --persistent-conn'
settle
ipvs '-Ln --stats'
