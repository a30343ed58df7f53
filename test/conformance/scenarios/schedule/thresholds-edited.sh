# A threshold's edit holds at once; who was full stays so until few enough connections are left for the new one.
from=20000
serve "-t $VIP:$((++port)) -s rr" -m 1
open 10 tcp 10.0.0.1 $((from += 20)) $VIP $port
for edit in '-x 1' '-x 20' '-x 11' '-x 10' '-x 12' '-x 13' '-x 15' '' '-x 14' '-x 30 -y 1' '-x 10 -y 5' '-x 40 -y 39'; do
  ipvs "-e -t $VIP:$port -r 10.1.0.1:80 -m $edit"
  open 2 tcp 10.0.0.1 $((from += 20)) $VIP $port
done
list
