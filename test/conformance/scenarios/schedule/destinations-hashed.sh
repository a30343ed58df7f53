# A mark service whose packets go to 20 destination addresses: what schedulers that look at the destination do.
mark 1 any 172.16.0.0/12
# As addresses of the director: from others the kernel sends no ICMP for IPVS.
ip route add local 172.16.0.0/12 dev lo
for scheduler in dh lblc lblcr sh mh rr wlc; do
  for weights in '1 2 3 4' '1 0 3 4'; do
    ipvs -C
    serve "-f 1 -s $scheduler" -g $weights
    open 40 tcp 10.0.0.1 $((20000 + 100 * ${number:-0})) 172.17.0.1 80 targets 20
    number=$((number + 1))
  done
done
