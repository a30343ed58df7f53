# -E with and without -o: what has an entry keeps it.
serve "-u $VIP:$((++port)) -s rr" -m 1 1 1
for i in 1 2; do c ip 10.0.0.3 $VIP udp 26001 $port data q$i; done
ipvs "-E -u $VIP:$port -s rr -o"
for i in 3 4; do c ip 10.0.0.3 $VIP udp 26001 $port data q$i; done
for i in 5 6 7; do c ip 10.0.0.3 $VIP udp 26002 $port data q$i; done
connections
list
ipvs "-E -u $VIP:$port -s rr"
for i in 8 9; do c ip 10.0.0.3 $VIP udp 26003 $port data q$i; done
connections
list
title 'thresholds count entries, and there are none'
serve "-u $VIP:$((++port)) -s rr -o" -m 1
ipvs "-a -u $VIP:$port -r 10.1.0.2:80 -m -x 1"
for i in 1 2 3 4; do c ip 10.0.0.3 $VIP udp 26004 $port data q$i; done
title 'nobody takes it'
serve "-u $VIP:$((++port)) -s none -o" -m 1
c ip 10.0.0.3 $VIP udp 26005 $port data q
