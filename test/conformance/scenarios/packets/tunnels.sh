# The other tunnels' headers.
gue 6080
for options in '--tun-type gre' '--tun-type gre --tun-csum' '--tun-type gue --tun-port 6080' '--tun-type gue --tun-port 6080 --tun-csum' \
  '--tun-type gue --tun-port 6080 --tun-remcsum'; do
  serve "-u $VIP:$((++port)) -s rr" "-i $options" 1
  c ip 10.0.0.1 $VIP df id 1 tos 0x1b udp 30001 $port data hello
  c ip 10.0.0.1 $VIP id 2 ttl 7 udp 30001 $port data hello!
  c ip 10.0.0.1 $VIP id 2 ttl 1 udp 30001 $port data hello!
  serve "-t $VIP:$port -s rr" "-i $options" 1
  open 1 tcp 10.0.0.1 30001 $VIP $port
done
