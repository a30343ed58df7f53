# What a mark brings together.
mark 5 any $VIP2/32
serve '-f 5 -s rr' -g 1 1 1 1
ipvs -C
ipvs '-A -f 5 -s rr'
for i in 1 2 3 4; do ipvs "-a -f 5 -r 10.1.0.$i -m"; done
open 4 tcp 10.0.0.7 27300 $VIP2 80
open 4 udp 10.0.0.7 27310 $VIP2 53
open 2 tcp 10.0.0.7 27320 $VIP2 443
connections
list
ipvs -C
ipvs '-A -f 5 -s rr -p 120'
for i in 1 2 3 4; do ipvs "-a -f 5 -r 10.1.0.$i -m"; done
open 2 tcp 10.0.0.8 27400 $VIP2 80
open 2 tcp 10.0.0.8 27410 $VIP2 443
open 2 tcp 10.0.0.9 27420 $VIP2 80
open 2 udp 10.0.0.9 27430 $VIP2 53
connections
list
