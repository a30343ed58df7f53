# ECN in tunnels: what congestion experienced inside becomes outside.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  for tos in 0 1 2 3 0xff; do c ip 10.0.0.13 $VIP tos $tos udp 30001 $port data x; done
done
