# Datagrams: a socket's go to one real server, each socket's to the next.
serve "-u $VIP:53 -s wrr" -m 1 2
open 6 udp 10.0.0.1 20000 $VIP 53
talk 0-5
talk 0-5
list
connections
serve "-u $VIP:54 -s wlc" -g 1 2
open 6 udp 10.0.0.1 20000 $VIP 54
talk 6-11
list
