# -e with another forwarding method or tunnel: what is open, and what comes.
gue 6080
serve "-t $VIP:80 -s rr" -g 1
serve "-u $VIP:53 -s rr" -g 1
open 1 tcp 10.0.0.1 20000 $VIP 80
open 1 udp 10.0.0.1 20000 $VIP 53
n=0
for method in -i -m -g '-i --tun-type gre' '-i --tun-type gue --tun-port 6080' '-i --tun-type gre --tun-csum' -i -g -m; do
  ipvs "-e -t $VIP:80 -r 10.1.0.1:80 $method"
  ipvs "-e -u $VIP:53 -r 10.1.0.1:53 $method"
  c ip 10.0.0.1 $VIP tcp 20000 80 A seq 1001
  c ip 10.0.0.1 $VIP udp 20000 53 data x
  c ip 10.0.0.1 $VIP tcp $((20001 + ++n)) 80 S
  c ip 10.0.0.1 $VIP udp $((20001 + n)) 53 data x
done
for n in {2..10}; do c ip 10.0.0.1 $VIP udp $((20000 + n)) 53 data x; done
connections
settle
ipvs '-Ln --stats'
