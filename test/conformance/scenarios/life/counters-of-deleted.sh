# What a real server that was deleted counts when it is back: by its old service it goes on, by a new one it begins at 0.
ipvs "-A -t $VIP2:99 -s rr" # the table is never empty: see empty-table.sh
serve "-t $VIP:80 -s rr" -m 1 1
open 6 tcp 10.0.0.14 27700 $VIP 80
settle
ipvs '-Ln --stats'
ipvs "-d -t $VIP:80 -r 10.1.0.1:80"
talk 0-3
ipvs "-a -t $VIP:80 -r 10.1.0.1:80 -m"
settle
ipvs '-Ln --stats'
talk all
settle
ipvs '-Ln --stats'
ipvs "-D -t $VIP:80"
serve "-t $VIP:80 -s rr" -m 1 1
ipvs '-Ln --stats'
talk all
settle
ipvs '-Ln --stats'
list
