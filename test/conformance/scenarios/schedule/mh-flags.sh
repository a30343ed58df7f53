# mh with its flags, many client addresses.
for weights in '1 2 3 4' '1 0 3 4'; do
  for flags in mh-port mh-fallback mh-fallback,mh-port; do
    serve "-t $VIP:$((++port)) -s mh -b $flags" -m $weights
    open 40 tcp 10.0.0.1 $((20000 + 40 * port)) $VIP $port addresses 20
  done
done
