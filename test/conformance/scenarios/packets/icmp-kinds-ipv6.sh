# ICMPv6 of every kind, both ways, about one connection of TCP and one of UDP.
for method in -m -g -i; do
  for option in -t -u; do
    ipvs "-A $option [$VIP6]:$((port += 1)) -s rr"
    ipvs "-a $option [$VIP6]:$port -r [fd00:b::1]:$port $method"
  done
  open 1 tcp fd00:a::7 30001 $VIP6 $((port - 1))
  c ip6 fd00:a::7 $VIP6 udp 30001 $port data hello
  for kind in '1 0' '1 3' '1 4' '1 6' '2 0' '3 0' '3 1' '4 0' '4 1' '100 0' '127 0' '129 0' '130 0'; do
    c ip6 fd00:a::7 $VIP6 icmp6 $kind rest 1300 quote ip6 $VIP6 fd00:a::7 hlim 60 tcp $((port - 1)) 30001 A
    c ip6 fd00:a::7 $VIP6 icmp6 $kind rest 1300 quote ip6 $VIP6 fd00:a::7 hlim 60 udp $port 30001 data abc
    [ $method = -m ] || continue
    r1 ip6 fd00:b::1 fd00:a::7 icmp6 $kind rest 1300 quote ip6 fd00:a::7 fd00:b::1 hlim 60 tcp 30001 $((port - 1)) A
    r1 ip6 fd00:b::1 fd00:a::7 icmp6 $kind rest 1300 quote ip6 fd00:a::7 fd00:b::1 hlim 60 udp 30001 $port data abc
  done
  for header in 'header 0 0000050200000100' 'header 60 0000010400000000' 'header 43 0000000000000000'; do
    c ip6 fd00:a::7 $VIP6 icmp6 1 4 quote ip6 $VIP6 fd00:a::7 hlim 60 $header tcp $((port - 1)) 30001 A
    c ip6 fd00:a::7 $VIP6 $header icmp6 1 4 quote ip6 $VIP6 fd00:a::7 hlim 60 tcp $((port - 1)) 30001 A
  done
  c ip6 fd00:a::8 $VIP6 icmp6 1 4 quote ip6 $VIP6 fd00:a::7 hlim 60 tcp $((port - 1)) 30001 A
  c ip6 fd00:a::7 $VIP6 hlim 1 icmp6 1 4 quote ip6 $VIP6 fd00:a::7 hlim 60 tcp $((port - 1)) 30001 A
  r1 ip6 fd00:b::1 fd00:a::7 hlim 1 icmp6 1 4 quote ip6 fd00:a::7 fd00:b::1 hlim 60 tcp 30001 $((port - 1)) A
done
settle
ipvs '-Ln --stats'
