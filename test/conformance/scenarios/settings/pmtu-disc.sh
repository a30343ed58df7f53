# Without path MTU discovery a tunnel's packets have no DF.
serve "-t $VIP:80 -s rr" -i 1
open 1 tcp 10.0.0.9 30001 $VIP 80
for mode in 1 0 1; do
  setting pmtu_disc $mode
  for size in 100 1440; do
    c ip 10.0.0.9 $VIP df tcp 30001 80 A size $size
    c ip 10.0.0.9 $VIP tcp 30001 80 A size $size
  done
done
