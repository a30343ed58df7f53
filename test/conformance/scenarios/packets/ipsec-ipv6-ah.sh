# By IPv6 IPVS takes AH for an extension header, and schedules what it protects.
ipvs "-A -u [$VIP6]:500 -s rr"
ipvs "-a -u [$VIP6]:500 -r [fd00:b::1]:500 -g"
ipvs "-A -u [$VIP6]:53 -s rr"
ipvs "-a -u [$VIP6]:53 -r [fd00:b::2]:53 -g"
c ip6 fd00:a::9 $VIP6 udp 500 500 data isakmp
c ip6 fd00:a::9 $VIP6 ah 17 0x5678 1 hex 0400003500080000
connections
