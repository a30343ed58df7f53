# A service of every port.
ipvs "-A -t $VIP:0 -s rr -p 300"
for i in 1 2 3 4; do ipvs "-a -t $VIP:0 -r 10.1.0.$i:0 -m"; done
open 1 tcp 10.0.0.5 27201 $VIP 80
open 1 tcp 10.0.0.5 27202 $VIP 443
open 1 tcp 10.0.0.5 27203 $VIP 8080
open 1 tcp 10.0.0.6 27204 $VIP 80
open 1 tcp 10.0.0.6 27205 $VIP 9999
connections
list
