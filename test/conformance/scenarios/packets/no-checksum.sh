# UDP without a checksum.
for method in -m -g -i; do
  serve "-u $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.1 $VIP udp 30001 $port nosum data hello
done
r1 ip 10.1.0.1 10.0.0.1 udp 80 30001 nosum data answer
