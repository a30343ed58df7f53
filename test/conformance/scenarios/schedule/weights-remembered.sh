# mh keeps the buckets of who weighs nothing for as long as it is there, and remembers how many they were.
from=20000
for flags in '' '-b mh-port' '-b mh-fallback' '-b mh-fallback,mh-port'; do
  serve "-t $VIP:$((++port)) -s mh $flags" -m 1 2 3 4
  for edit in 'e 2 0' 'e 4 0' 'd 4' 'a 4 0' 'e 4 5' 'e 2 1'; do
    set -- $edit
    ipvs "-$1 -t $VIP:$port -r 10.1.0.$2:80${3:+ -m -w $3}"
    open 20 tcp 10.0.0.1 $((from += 20)) $VIP $port addresses 20
  done
done
title 'from another scheduler'
serve "-t $VIP:$((++port)) -s rr" -m 3 1 1
ipvs "-e -t $VIP:$port -r 10.1.0.1:80 -m -w 0"
for scheduler in 'mh -b mh-port' 'mh -b mh-fallback' 'sh -b sh-fallback,sh-port' fo ovf none; do
  ipvs "-E -t $VIP:$port -s $scheduler"
  open 20 tcp 10.0.0.1 $((from += 20)) $VIP $port addresses 20
done
list
