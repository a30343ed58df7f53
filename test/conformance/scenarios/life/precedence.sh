# A mark's service before an address's, a port's before every port's.
mark 5 any $VIP2/32
ipvs '-A -f 5 -s rr'
ipvs '-a -f 5 -r 10.1.0.1 -m'
ipvs "-A -t $VIP2:80 -s rr"
ipvs "-a -t $VIP2:80 -r 10.1.0.2:80 -m"
ipvs "-A -t $VIP2:0 -s rr -p"
ipvs "-a -t $VIP2:0 -r 10.1.0.3:0 -m"
open 1 tcp 10.0.0.11 27500 $VIP2 80
open 1 tcp 10.0.0.11 27501 $VIP2 443
ipvs '-D -f 5'
open 1 tcp 10.0.0.11 27502 $VIP2 80
open 1 tcp 10.0.0.11 27503 $VIP2 443
list
connections
