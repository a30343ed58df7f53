# A client's datagrams go to one real server, which a template remembers; they have no entries.
for method in -m -g; do
  serve "-u $VIP:$((++port)) -s rr -o -p 60" $method 1 1 1
  for i in 1 2 3 4; do c ip 10.0.0.3 $VIP udp 2600$i $port data q$i; done
  c ip 10.0.0.4 $VIP udp 26000 $port data q
  connections
  ipvs '-Ln --persistent-conn'
  settle
  ipvs '-Ln --stats'
done
title 'of several networks of clients'
serve "-u $VIP:$((++port)) -s rr -o -p 60 -M 255.255.255.0" -g 1 1 1
for i in 3 4 5; do c ip 10.0.0.$i $VIP udp 26000 $port data q; done
connections
