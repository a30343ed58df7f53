# ESP follows the client's IKE by IPv6.
client=1
for method in -m -g -i; do
  ipvs "-A -u [$VIP6]:500 -s rr"
  ipvs "-a -u [$VIP6]:500 -r [fd00:b::1]:500 $method"
  c ip6 fd00:a::$client $VIP6 udp 500 500 data isakmp
  c ip6 fd00:a::$client $VIP6 esp 0x1234 1 size 32
  [ $method != -m ] || r1 ip6 fd00:b::1 fd00:a::$client esp 0x1234 1 size 32
  ipvs -C
  client=$((client + 1))
done
connections
