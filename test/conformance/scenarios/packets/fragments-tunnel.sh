# A datagram in pieces that goes through a tunnel.
serve "-u $VIP:53 -s rr" -i 1
fragment 1400 c ip 10.0.0.12 $VIP id 77 udp 30001 53 size 3000
