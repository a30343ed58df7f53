# A decision for each datagram, and no entries.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr -o" $method 1 1 1 1
  for i in 1 2 3 4 5 6; do c ip 10.0.0.3 $VIP udp 26000 $port data q$i; done
  connections
  list
  settle
  ipvs '-Ln --stats'
done
title 'an answer is not translated'
r1 ip 10.1.0.1 10.0.0.3 udp 80 26000 data answer
