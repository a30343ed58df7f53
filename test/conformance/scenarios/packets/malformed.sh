# Headers that lie or end too early.
serve "-t $VIP:80 -s rr" -m 1
serve "-u $VIP:53 -s rr" -m 1
open 1 tcp 10.0.0.1 30000 $VIP 80
for length in 20 24 30 39; do c ip 10.0.0.1 $VIP tcp 30001 80 S cut $length; done
for length in 21 27; do c ip 10.0.0.1 $VIP udp 30002 53 data x cut $length; done
c ip 10.0.0.1 $VIP len 60 tcp 30003 80 S
c ip 10.0.0.1 $VIP len 39 tcp 30004 80 S
c ip 10.0.0.1 $VIP len 19 tcp 30005 80 S
c ip 10.0.0.1 $VIP ihl 4 tcp 30006 80 S
c ip 10.0.0.1 $VIP ihl 15 tcp 30007 80 S
connections
