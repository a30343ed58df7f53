# Its connections stay and lead nowhere, until the server is there again with its counts.
serve "-t $VIP:80 -s rr" -m 1 1
open 6 tcp 10.0.0.14 27700 $VIP 80
reset 0
ipvs "-d -t $VIP:80 -r 10.1.0.1:80"
talk 0-5
list
connections
ipvs "-a -t $VIP:80 -r 10.1.0.1:80 -m"
list
talk 0-5
ipvs "-D -t $VIP:80"
talk 0-5
connections
serve "-t $VIP:80 -s rr" -m 1 1
list
talk 0-5
ipvs -C
talk 1-2
list
connections
