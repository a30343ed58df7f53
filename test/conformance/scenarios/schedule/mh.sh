# Which real server each of 40 connections gets, from one address and from 20.
for weights in '1 2 3 4' '1 0 3 4' '1 1 1 1' '0 0 0 0'; do
  for addresses in 1 20; do
    serve "-t $VIP:$((++port)) -s mh" -m $weights
    open 40 tcp 10.0.0.1 $((20000 + 40 * port)) $VIP $port addresses $addresses
  done
done
list
