# A client stays with its real server; templates, what they count, what shows them.
serve "-t $VIP:80 -s rr -p 300" -m 1 1 1 1
open 1 tcp 10.0.0.1 27001 $VIP 80
connections
open 1 tcp 10.0.0.1 27002 $VIP 80
open 1 tcp 10.0.0.2 27003 $VIP 80
open 1 tcp 10.0.0.1 27004 $VIP 80
connections
close 0
connections
list
ipvs '-Ln --persistent-conn'
reset all
connections
open 12 tcp 10.0.0.1 27100 $VIP 80 addresses 6
list
ipvs '-Ln --persistent-conn'
