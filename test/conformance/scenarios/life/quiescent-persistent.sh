# Weight 0 and a template: its client stays, unless expire_quiescent_template.
serve "-t $VIP:80 -s rr -p 300" -m 1 1
open 1 tcp 10.0.0.13 27601 $VIP 80
ipvs "-e -t $VIP:80 -r 10.1.0.2:80 -m -w 0"
open 1 tcp 10.0.0.13 27602 $VIP 80
setting expire_quiescent_template 1
open 1 tcp 10.0.0.13 27603 $VIP 80
connections
list
