# The director itself is a real server (Local), for clients elsewhere and on the director.
real_hosts
echo 1 >/proc/sys/net/ipv4/ip_forward
ip address add 203.0.113.10/32 dev lo
listen director tcp 8080 1004 1005
listen director udp 8053
port=1000
for real in '-m -r 192.0.2.1:8080' '-m -r 203.0.113.10:8080' '-m -r 127.0.0.1:8080' '-g -r 172.16.0.1' '-i -r 127.0.0.1' '-m -r 172.16.0.1:9'; do
  port=$((port + 1))
  ipvs "-A -t 203.0.113.10:$port -s rr"
  ipvs "-a -t 203.0.113.10:$port $real"
done
for port in 1001 1002 1003 1004 1005 1006; do
  ask client tcp 192.0.2.2:2$port 203.0.113.10:$port
  ask director tcp 172.16.0.1:3$port 203.0.113.10:$port
  ask director tcp 203.0.113.10:4$port 203.0.113.10:$port
done
ask director tcp 127.0.0.1:51003 203.0.113.10:1003
ipvs '-A -u 203.0.113.10:53 -s rr'
ipvs '-a -u 203.0.113.10:53 -m -r 192.0.2.1:8053'
ipvs '-A -u 203.0.113.10:54 -s rr'
ipvs '-a -u 203.0.113.10:54 -m -r 192.0.2.1:9'
ipvs '-A -u 203.0.113.10:55 -s rr'
ipvs '-a -u 203.0.113.10:55 -g -r 192.0.2.1'
for port in 53 54 55; do ask client udp 192.0.2.2:20$port 203.0.113.10:$port; done
connections
settle
ipvs '-Ln --stats -u 203.0.113.10:53'
ipvs '-Ln --stats -u 203.0.113.10:54'
ipvs '-Ln --stats -u 203.0.113.10:55'
