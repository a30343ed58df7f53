# --set is for what comes, and for three states.
ipvs '--set 33 22 11'
serve "-t $VIP:8080 -s rr" -m 1
serve "-u $VIP:53 -s rr" -m 1
open 2 tcp 10.0.0.15 27801 $VIP 8080
open 1 udp 10.0.0.15 27803 $VIP 53
c ip 10.0.0.15 $VIP tcp 27802 8080 FA seq 1001 ack 1
connections
close 0
ipvs '--set 44 0 55'
open 1 tcp 10.0.0.15 27804 $VIP 8080
open 1 udp 10.0.0.15 27805 $VIP 53
t 'ipvsadm -Lnc | grep 2780[45]'
