# One hop by every method, and what is told when there are none left.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  for ttl in 64 2 1 0; do
    c ip 10.0.0.2 $VIP ttl $ttl tos 0x10 udp 30001 $port data x
  done
done
title 'answers'
for ttl in 2 1; do r1 ip 10.1.0.1 10.0.0.2 ttl $ttl udp 80 30001 data y; done
title 'plain forwarding'
for ttl in 2 1; do c ip 10.0.0.2 10.1.0.1 ttl $ttl udp 30002 9 data z; done
