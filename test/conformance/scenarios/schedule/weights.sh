# wrr with weights that have a divisor, differ much, or end in nothing.
for weights in '2 4 6 8' '5 1 1 0' '100 50 1 3' '7' '0 3' '3 0 0 3' '65535 1'; do
  serve "-t $VIP:$((++port)) -s wrr" -m $weights
  open 40 tcp 10.0.0.1 $((20000 + 40 * port)) $VIP $port short
done
