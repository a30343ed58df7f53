# --set does not touch what is there, until its next packet.
serve "-t $VIP:8080 -s rr" -m 1
serve "-u $VIP:53 -s rr" -m 1
open 2 tcp 10.0.0.15 27801 $VIP 8080
open 2 udp 10.0.0.15 27803 $VIP 53
connections
ipvs '--set 44 0 55'
talk 0
talk 2
connections
