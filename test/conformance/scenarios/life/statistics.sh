# What is counted, and what -Z makes of it.
serve "-t $VIP:80 -s rr" -m 1 1
serve "-t $VIP:81 -s rr" -g 1 1
serve "-u $VIP:53 -s rr" -i 1 1
open 4 tcp 10.0.0.1 30000 $VIP 80
open 4 tcp 10.0.0.1 30010 $VIP 81
open 4 udp 10.0.0.1 30020 $VIP 53
talk all
close 0-3
c ip 10.0.0.1 $VIP tcp 30000 80 PA size 1400
settle
ipvs '-Ln --stats'
ipvs '-Ln --stats --exact'
ipvs "-Ln -t $VIP:80 --stats"
ipvs "-Z -t $VIP:80"
ipvs '-Ln --stats'
ipvs -Z
ipvs '-Ln --stats'
ipvs '-Ln --persistent-conn'
ipvs '-Ln --thresholds'
ipvs "-Lnc -t $VIP:80"
ipvs '-Lnc --sort'
ipvs -Lc
