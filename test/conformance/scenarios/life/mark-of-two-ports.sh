# One mark for two ports and two protocols.
mark 7 tcp $VIP/32 80
mark 7 tcp $VIP/32 443
mark 7 udp $VIP/32
ipvs "-A -f 7 -s rr -p 100"
ipvs "-a -f 7 -r 10.1.0.1 -m"
ipvs "-a -f 7 -r 10.1.0.2 -m"
c ip 10.0.0.2 $VIP tcp 1025 80 S
c ip 10.0.0.2 $VIP tcp 1026 443 S
c ip 10.0.0.3 $VIP tcp 1025 443 S
c ip 10.0.0.2 $VIP udp 1026 53 data hello
c ip 10.0.0.3 $VIP tcp 1025 22 S
c ip 10.0.0.2 $VIP udp 4500 4500 data hello
c ip 10.0.0.2 $VIP udp 500 500 data hello
c ip 10.0.0.2 $VIP esp 0x1234 1 size 32
connections
