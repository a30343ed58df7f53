# No service, no real server, none that can be used.
c ip 10.0.0.1 $VIP tcp 40000 4999 S
c ip 10.0.0.1 $VIP udp 40000 4999 data x
ipvs "-A -t $VIP:4998 -s rr"
ipvs "-A -u $VIP:4998 -s rr"
c ip 10.0.0.1 $VIP tcp 40001 4998 S
c ip 10.0.0.1 $VIP tcp 40001 4998 A
c ip 10.0.0.1 $VIP tcp 40001 4998 SA
c ip 10.0.0.1 $VIP udp 40001 4998 data x
c ip 10.0.0.1 $VIP id 9 udp 40001 4998 size 1200
ipvs "-a -t $VIP:4998 -r 10.1.0.1 -w 0"
ipvs "-a -u $VIP:4998 -r 10.1.0.1 -m -w 0"
c ip 10.0.0.1 $VIP tcp 40002 4998 S
c ip 10.0.0.1 $VIP udp 40002 4998 data x
c ip 10.0.0.1 $VIP tcp 40002 4999 S
connections
settle
ipvs '-Ln --stats'
