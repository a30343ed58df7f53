ipvs -A -t $VIP:80 -s rr
for i in 1 2 3 4; do ipvs -a -t $VIP:80 -r 10.1.0.$i:80 -m; done
open 12 tcp 10.0.0.1 20000 $VIP 80
ipvs -Ln
ipvs -Lnc
close 0-3
reset 4-5
reset 6-7 server
close 8-9 server
ipvs -Lnc
ipvs -Ln
c ip 10.0.0.2 $VIP ttl 64 tos 0x10 df tcp 30001 '>' 80 S seq 7 opt 020405b4
c ip 10.0.0.2 $VIP ttl 1 tcp 30001 '>' 80 A
c ip 10.0.0.2 $VIP udp 30001 '>' 81 data hello
