# Packets larger than the way to the real server allows: told when they may not be cut.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  for size in 1472 1453 1452; do c ip 10.0.0.6 $VIP df udp $((30000 + port)) $port size $size; done
done
title 'behind a link of 1400 bytes'
ip link set d1 mtu 1400
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  for size in 1472 1373 1372 1352; do c ip 10.0.0.6 $VIP df udp $((30000 + port)) $port size $size; done
done
