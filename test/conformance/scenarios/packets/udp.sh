# Datagrams.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.1 $VIP id 1 udp 30001 $port data hello
  c ip 10.0.0.1 $VIP id 3 udp 30001 $port
  c ip 10.0.0.1 $VIP id 4 udp 30001 $port size 1001
done
r1 ip 10.1.0.1 10.0.0.1 udp 80 30001 data answer
title 'a checksum of which the sum is zero'
for last in 1 2 3 4 5 6 7 8; do c ip 10.0.0.$last $VIP udp $((64000 + last * 17)) 1 hex 00000000$(printf %04x $((last * 4099))); done
