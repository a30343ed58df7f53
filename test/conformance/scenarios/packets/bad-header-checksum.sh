# A wrong checksum of the IP header.
serve "-t $VIP:80 -s rr" -m 1
c ip 10.0.0.1 $VIP badsum tcp 30008 80 S
open 1 tcp 10.0.0.1 30009 $VIP 80
c ip 10.0.0.1 $VIP badsum tcp 30009 80 A
connections
