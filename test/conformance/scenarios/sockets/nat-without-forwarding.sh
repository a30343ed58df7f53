# What the kernel's own test of IPVS does (tools/testing/selftests/netfilter/ipvs.sh): nat, ip_forward=0, hosts with sockets.
real_hosts
echo 0 >/proc/sys/net/ipv4/ip_forward
ip address add 203.0.113.10/32 dev lo
ipvs '-A -t 203.0.113.10:8080 -s rr'
ipvs '-a -m -t 203.0.113.10:8080 -r 172.16.0.2:8080'
ip -n server link delete outside
ip -n server route add default via 172.16.0.1
send_file
ipvs -Ln
