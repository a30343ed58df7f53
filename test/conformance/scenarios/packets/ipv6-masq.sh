# IPv6: LVS's masq.
ipvs "-A -t [$VIP6]:80 -s rr"
ipvs "-a -t [$VIP6]:80 -r [fd00:b::1]:80 -m"
ipvs "-A -u [$VIP6]:53 -s rr"
ipvs "-a -u [$VIP6]:53 -r [fd00:b::1]:53 -m"
c ip6 fd00:a::5 $VIP6 tc 0x2e flow 0x12345 tcp 31000 80 S seq 1
c ip6 fd00:a::5 $VIP6 udp 31000 53 data hello
c ip6 fd00:a::5 $VIP6 hlim 2 udp 31000 53 data hello
c ip6 fd00:a::5 $VIP6 hlim 1 udp 31000 53 data hello
c ip6 fd00:a::5 $VIP6 udp 31000 53 size 1452
open 3 tcp fd00:a::6 31001 $VIP6 80
open 3 udp fd00:a::6 31001 $VIP6 53
talk all
close 0-1
c ip6 fd00:a::5 $VIP6 tcp 31000 81 S
c ip6 fd00:a::5 $VIP6 icmp6 128 0 rest 0x00010001 data ping
connections
list
settle
ipvs '-Ln --stats'
