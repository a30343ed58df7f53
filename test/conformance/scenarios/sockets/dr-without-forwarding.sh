# What the kernel's own test of IPVS does (tools/testing/selftests/netfilter/ipvs.sh): dr, ip_forward=0, hosts with sockets.
real_hosts
echo 0 >/proc/sys/net/ipv4/ip_forward
ip address add 203.0.113.10/32 dev lo
ipvs '-A -t 203.0.113.10:8080 -s rr'
ipvs '-a -g -t 203.0.113.10:8080 -r 172.16.0.2:8080'
for name in all default inside; do ip netns exec server sysctl -qw net.ipv4.conf.$name.{arp_ignore=1,arp_announce=2,rp_filter=0}; done
ip -n server address add 203.0.113.10/32 dev lo
send_file
ipvs -Ln
