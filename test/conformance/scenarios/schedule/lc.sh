# Which real server each of 40 connections gets, when they end at once and when they stay.
for weights in '1 2 3 4' '1 0 3 4' '1 1 1 1' '0 0 0 0'; do
  for ending in short ''; do
    serve "-t $VIP:$((++port)) -s lc" -m $weights
    open 40 tcp 10.0.0.1 $((20000 + 40 * port)) $VIP $port $ending
  done
done
list
