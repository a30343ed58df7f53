# Entries that end by themselves: after a reset 10 s, and as --set says.
ipvs '--set 4 3 2'
serve "-t $VIP:80 -s rr" -m 1
serve "-u $VIP:53 -s rr" -m 1
open 2 tcp 10.0.0.15 27801 $VIP 80
open 2 udp 10.0.0.15 27811 $VIP 53
reset 0
list
sleep 6
connections
list
sleep 6
connections
list
