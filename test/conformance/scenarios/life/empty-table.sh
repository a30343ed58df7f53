# When the last service goes: connections that are open, and when it comes again.
serve "-t $VIP:80 -s rr" -m 1
open 2 tcp 10.0.0.14 27700 $VIP 80
ipvs -C
talk all
list
connections
serve "-t $VIP:80 -s rr" -m 1
talk all
