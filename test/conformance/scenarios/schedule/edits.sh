# Edits while connections come: what the cursors of rr and wrr make of them.
serve "-t $VIP:80 -s wrr" -m 1 2 3 4
open 7 tcp 10.0.0.1 20000 $VIP 80 short
ipvs "-e -t $VIP:80 -r 10.1.0.4:80 -m -w 1"
open 13 tcp 10.0.0.1 20100 $VIP 80 short
ipvs "-d -t $VIP:80 -r 10.1.0.2:80"
open 10 tcp 10.0.0.1 20200 $VIP 80 short
ipvs "-a -t $VIP:80 -r 10.1.0.2:80 -m -w 5"
open 20 tcp 10.0.0.1 20300 $VIP 80 short
serve "-t $VIP:81 -s rr" -m 1 1 1 1
open 6 tcp 10.0.0.1 21000 $VIP 81 short
ipvs "-d -t $VIP:81 -r 10.1.0.3:80"
open 14 tcp 10.0.0.1 21100 $VIP 81 short
ipvs "-a -t $VIP:81 -r 10.1.0.3:80 -m"
open 10 tcp 10.0.0.1 21200 $VIP 81 short
ipvs "-e -t $VIP:81 -r 10.1.0.1:80 -m -w 0"
open 10 tcp 10.0.0.1 21300 $VIP 81 short
serve "-t $VIP:82 -s wlc" -m 1 2 3 4
open 20 tcp 10.0.0.1 22000 $VIP 82
ipvs "-e -t $VIP:82 -r 10.1.0.1:80 -m -w 0"
open 20 tcp 10.0.0.1 22100 $VIP 82
ipvs "-E -t $VIP:82 -s rr"
open 8 tcp 10.0.0.1 22200 $VIP 82
ipvs "-E -t $VIP:82 -s wrr"
open 12 tcp 10.0.0.1 22300 $VIP 82
list
