# sh over many client addresses, and dh over what there is.
serve "-t $VIP:80 -s sh" -m 3 1 4 1 5
open 120 tcp 172.16.0.1 3000 $VIP 80 addresses 120
open 120 tcp 172.20.7.250 3000 $VIP 80 addresses 120 syn
serve "-t $VIP2:80 -s dh" -m 3 1 4 1 5
open 10 tcp 172.16.0.1 4000 $VIP2 80 addresses 10
