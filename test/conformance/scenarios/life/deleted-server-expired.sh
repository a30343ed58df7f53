# expire_nodest_conn: the next packet takes the connection's entry away, the one after is the director's own.
serve "-t $VIP:80 -s rr" -m 1
open 2 tcp 10.0.0.14 27700 $VIP 80
setting expire_nodest_conn 1
ipvs "-d -t $VIP:80 -r 10.1.0.1:80"
talk 0
connections
talk 0
connections
serve "-t $VIP2:80 -s rr" -m 1
open 1 tcp 10.0.0.15 27800 $VIP 80
