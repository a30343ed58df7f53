# One client port to two VIPs that share a real server: the real server can't tell the connections apart.
serve "-t $VIP:80 -s rr" -m 1
serve "-t $VIP2:80 -s rr" -m 1
open 1 tcp 10.0.0.1 20000 $VIP 80
open 1 tcp 10.0.0.1 20000 $VIP2 80
talk all
connections
