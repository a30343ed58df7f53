# A real server that is full is passed over, until enough of its entries are gone.
ipvs "-A -t $VIP:80 -s rr"
for i in 1 2 3; do ipvs "-a -t $VIP:80 -r 10.1.0.$i:80 -m"; done
ipvs "-a -t $VIP:80 -r 10.1.0.4:80 -m -x 3 -y 1"
open 24 tcp 10.0.0.1 20000 $VIP 80
ipvs '-Ln --thresholds'
ipvs "-A -t $VIP:81 -s rr"
ipvs "-a -t $VIP:81 -r 10.1.0.1:80 -m -x 4"
forget
open 6 tcp 10.0.0.1 21000 $VIP 81
for i in 0 1 2 3; do
  reset $i
  open 1 tcp 10.0.0.1 2200$i $VIP 81
  list
done
sleep 11
open 6 tcp 10.0.0.1 23000 $VIP 81
list
