# The director answers an echo to its VIP.
serve "-t $VIP:80 -s rr" -m 1
c ip 10.0.0.8 $VIP icmp 8 0 rest 0x00010001 data ping
c ip 10.0.0.8 $VIP id 9 icmp 8 0 rest 0x00010002 size 1000
