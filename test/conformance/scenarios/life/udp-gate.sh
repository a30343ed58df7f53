# A UDP entry without and with an answer: LVS's gate.
serve "-u $VIP:53 -s rr" -g 1
open 1 udp 10.0.0.2 26001 $VIP 53 syn
connections
list
talk 0
connections
list
