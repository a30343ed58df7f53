# Weight 0: old connections go on, new ones go elsewhere.
serve "-t $VIP:80 -s rr" -m 1 1
open 4 tcp 10.0.0.13 27601 $VIP 80
ipvs "-e -t $VIP:80 -r 10.1.0.2:80 -m -w 0"
talk all
open 3 tcp 10.0.0.13 27701 $VIP 80
close 0
list
connections
