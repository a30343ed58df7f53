# A client on the director itself, and a real server by gate that holds a VIP which the director does not.
real_hosts
ip -n server address add 203.0.113.20/32 dev lo
ip route add 203.0.113.20 via 192.0.2.2
listen server tcp 1003
ipvs '-A -t 203.0.113.20:1003 -s rr'
ipvs '-a -t 203.0.113.20:1003 -g -r 172.16.0.2'
ask director tcp 172.16.0.1:31004 203.0.113.20:1003
connections
