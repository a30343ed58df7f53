# A deleted server's connections stay and lead nowhere, until the server is there again with its counts.
ipvs "-A -t $VIP2:99 -s rr" # the table is never empty: see empty-table.sh
serve "-t $VIP:80 -s rr" -m 1 1
open 6 tcp 10.0.0.14 27700 $VIP 80
reset 0
ipvs "-d -t $VIP:80 -r 10.1.0.1:80"
talk 1-5
list
connections
ipvs "-a -t $VIP:80 -r 10.1.0.1:80 -m"
list
talk 1-5
ipvs "-D -t $VIP:80"
talk 1-5
connections
serve "-t $VIP:80 -s rr" -m 1 1
list
talk 1-5
