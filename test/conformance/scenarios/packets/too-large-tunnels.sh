# What fits into the other tunnels.
gue 6080
for options in '--tun-type gre' '--tun-type gre --tun-csum' '--tun-type gue --tun-port 6080' '--tun-type gue --tun-port 6080 --tun-csum'; do
  serve "-u $VIP:$((++port)) -s rr" "-i $options" 1
  for size in 1472 1448 1444 1440; do c ip 10.0.0.6 $VIP df udp 30001 $port size $size; done
done
