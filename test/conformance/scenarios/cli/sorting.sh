# Services by protocol, address and port, servers by address and port. Differences are signed 32 bits, so some addresses form
# circles; then the order depends on the one before, which for services is a hash table's.
ipvs '-A -t 10.0.0.100:80 -s rr'
for address in 10.0.0.9 192.168.7.1 10.200.0.1 172.31.0.1 127.0.0.1 10.1.0.3 10.1.0.20; do
  ipvs "-a -t 10.0.0.100:80 -r $address:$((++port)) -m"
done
ipvs '-a -t 10.0.0.100:80 -r 10.1.0.3:2 -m'
for address in 10.0.0.9 10.200.0.1 127.0.0.1 10.1.0.3; do ipvs "-A -t $address:$((++port)) -s rr"; done
ipvs '-A -u 10.0.0.9:80 -s rr'
ipvs '-A -t 10.0.0.9:7 -s rr'
ipvs -Ln
ipvs -Sn
ipvs '-Ln -t 10.0.0.100:80 --nosort'
ipvs '-Ln --sort --nosort -t 10.0.0.100:80'
