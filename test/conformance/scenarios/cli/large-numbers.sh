# Counters and weights that are wider than their columns.
for device in d0 d1; do ip link set $device mtu 65535; done
ipvs "-A -u $VIP:80 -s rr"
ipvs "-a -u $VIP:80 -r 10.1.0.1 -g -w 123456789"
repeat 2500 c ip 10.0.0.1 $VIP udp 40001 80 size 60000
settle
for words in --stats '--stats --exact' '' --thresholds --persistent-conn; do ipvs "-Ln $words"; done
repeat 15000 c ip 10.0.0.1 $VIP udp 40001 80 size 60000
settle
ipvs '-Ln --stats'
ipvs '-Ln --stats --exact'
