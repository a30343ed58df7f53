# A template's state: none until its connection is established; a datagram is enough.
serve "-t $VIP:80 -s rr -p 100" -m 1
serve "-u $VIP:53 -s rr -p 100" -m 1
open 1 tcp 10.0.0.1 35001 $VIP 80 syn
connections
open 1 udp 10.0.0.2 35002 $VIP 53 syn
connections
open 1 tcp 10.0.0.3 35003 $VIP 80
connections
