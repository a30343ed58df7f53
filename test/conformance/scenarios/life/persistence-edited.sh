# -E that makes a service persistent, changes the mask or the time, and makes an end of it.
from=21000
serve "-t $VIP:80 -s rr" -m 1 1 1
open 2 tcp 10.0.0.1 20000 $VIP 80
for edit in '-p 100' '-p 200' '-p 200 -M 255.255.255.0' '' '-p 50'; do
  ipvs "-E -t $VIP:80 -s rr $edit"
  for client in 10.0.0.1 10.0.0.2; do open 3 tcp $client $((from += 10)) $VIP 80; done
  connections
  ipvs '-Ln --persistent-conn'
done
ipvs "-d -t $VIP:80 -r 10.1.0.1:80"
open 3 tcp 10.0.0.1 23000 $VIP 80
open 3 tcp 10.0.0.2 23000 $VIP 80
ipvs "-a -t $VIP:80 -r 10.1.0.1:80 -m"
open 3 tcp 10.0.0.1 23100 $VIP 80
connections
ipvs '-Ln --persistent-conn'
list
title 'full, and weighing nothing'
serve "-t $VIP:81 -s rr -p 100" -m 1 1
open 2 tcp 10.0.0.1 24000 $VIP 81
ipvs "-e -t $VIP:81 -r 10.1.0.2:80 -m -x 2"
open 2 tcp 10.0.0.1 24010 $VIP 81
open 2 tcp 10.0.0.3 24010 $VIP 81
ipvs "-e -t $VIP:81 -r 10.1.0.2:80 -m -w 0"
open 2 tcp 10.0.0.1 24020 $VIP 81
setting expire_quiescent_template 1
open 2 tcp 10.0.0.1 24030 $VIP 81
connections
list
