# A client on the director itself (LOCAL_OUT).
real_hosts
echo 1 >/proc/sys/net/ipv4/ip_forward
ip address add 203.0.113.10/32 dev lo
ip -n server link delete outside
ip -n server route add default via 172.16.0.1
ip route add 203.0.113.20 via 192.0.2.2
listen server tcp 8080
listen server udp 8053
ipvs '-A -t 203.0.113.10:1001 -s rr'
ipvs '-a -t 203.0.113.10:1001 -m -r 172.16.0.2:8080'
ask director tcp 172.16.0.1:31001 203.0.113.10:1001
ask director tcp 192.0.2.1:31001 203.0.113.10:1001
ask director tcp 203.0.113.10:31001 203.0.113.10:1001
ask client tcp 192.0.2.2:31001 203.0.113.10:1001
ipvs '-A -t 203.0.113.10:1002 -s rr'
ask director tcp 172.16.0.1:31002 203.0.113.10:1002
ipvs '-a -t 203.0.113.10:1002 -m -r 172.16.0.2:9'
ask director tcp 172.16.0.1:31003 203.0.113.10:1002
ipvs '-A -t 203.0.113.20:1004 -s rr'
ipvs '-a -t 203.0.113.20:1004 -m -r 172.16.0.2:8080'
ask director tcp 172.16.0.1:31005 203.0.113.20:1004
ipvs '-A -t 203.0.113.20:1005 -s rr'
ipvs '-a -t 203.0.113.20:1005 -m -r 172.16.0.1:8080'
ask director tcp 172.16.0.1:31006 203.0.113.20:1005
ipvs '-A -u 203.0.113.10:53 -s rr'
ipvs '-a -u 203.0.113.10:53 -m -r 172.16.0.2:8053'
ask director udp 172.16.0.1:31007 203.0.113.10:53
ipvs '-A -u 203.0.113.10:54 -s rr'
ipvs '-a -u 203.0.113.10:54 -m -r 172.16.0.2:9'
ask director udp 172.16.0.1:31008 203.0.113.10:54
connections
settle
ipvs '-Ln --stats -u 203.0.113.10:53'
ipvs '-Ln --stats -u 203.0.113.10:54'
