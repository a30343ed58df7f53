# What the director itself says about a connection, in the statistics.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  for ttl in 64 1 64 1; do c ip 10.0.0.2 $VIP ttl $ttl udp $((30000 + port)) $port data x; done
done
settle
ipvs '-Ln --stats'
