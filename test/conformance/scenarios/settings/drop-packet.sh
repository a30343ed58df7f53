# One of so many new connections is dropped; a mode by need is one mode, and off while there is none.
serve "-t $VIP:80 -s rr" -g 1 1
serve "-u $VIP:53 -s rr" -g 1 1
setting am_droprate 4
setting drop_packet 3
open 13 tcp 10.0.0.1 30000 $VIP 80 syn
open 13 udp 10.0.0.1 30100 $VIP 53
c ip 10.0.0.1 $VIP tcp 30200 81 S
c ip 10.0.0.1 $VIP tcp 30200 80 A
c ip 10.0.0.1 $VIP tcp 30001 80 A seq 1001
open 9 tcp 10.0.0.2 30000 $VIP 80 syn
setting drop_packet 0
open 4 tcp 10.0.0.3 30100 $VIP 80 syn
for mode in 1 2 1; do
  setting drop_packet $mode
  show_setting drop_packet
done
open 4 tcp 10.0.0.3 30200 $VIP 80 syn
settle
ipvs '-Ln --stats'
