# Tunnels of both families within both families, of all types.
gue 6080
echo 0 >/proc/sys/net/ipv6/auto_flowlabels # which the kernel chooses for its ICMPv6
for options in '' '--tun-type gre' '--tun-type gre --tun-csum' '--tun-type gue --tun-port 6080' \
  '--tun-type gue --tun-port 6080 --tun-csum' '--tun-type gue --tun-port 6080 --tun-remcsum'; do
  ipvs "-A -u [$VIP6]:$((++port)) -s rr"
  ipvs "-a -u [$VIP6]:$port -r [fd00:b::1]:$port -i $options"
  c ip6 fd00:a::5 $VIP6 tc 0x2f flow 0x12345 udp 31000 $port data hello
  c ip6 fd00:a::5 $VIP6 hlim 9 udp 31000 $port data hello!
  for size in 1412 1408 1404 1400 1396 1392; do c ip6 fd00:a::5 $VIP6 udp 31000 $port size $size; done
  ipvs "-A -u [$VIP6]:$((++port)) -s rr"
  ipvs "-a -u [$VIP6]:$port -r 10.1.0.1:$port -i $options"
  c ip6 fd00:a::5 $VIP6 tc 0x2e udp 31000 $port data hello
  for size in 1432 1428 1424 1420 1416; do c ip6 fd00:a::5 $VIP6 udp 31000 $port size $size; done
  ipvs "-A -u $VIP:$((++port)) -s rr"
  ipvs "-a -u $VIP:$port -r [fd00:b::1]:$port -i $options"
  c ip 10.0.0.1 $VIP df id 1 tos 0x1b udp 30001 $port data hello
  c ip 10.0.0.1 $VIP id 2 ttl 7 udp 30001 $port data hello!
  for size in 1432 1428 1424 1420; do c ip 10.0.0.6 $VIP df udp 30001 $port size $size; done
done
