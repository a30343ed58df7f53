# One connection's packets by each method, every field of their headers.
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  c ip 10.0.0.1 $VIP df id 1 tcp 30001 $port S seq 100 win 64240 opt 020405b40402080a000000010000000001030306
  c ip 10.0.0.1 $VIP df id 2 tos 0x10 tcp 30001 $port A seq 101 ack 501 opt 0101080a0000000200000001
  c ip 10.0.0.1 $VIP df id 3 tcp 30001 $port PA seq 101 ack 501 data hello
  c ip 10.0.0.1 $VIP id 4 ttl 255 tos 0xfd tcp 30001 $port PAU seq 106 ack 501 size 1400
  c ip 10.0.0.1 $VIP id 5 tcp 30001 $port none
done
title 'answers of a masqueraded real server'
r1 ip 10.1.0.1 10.0.0.1 df id 11 tcp 80 30001 SA seq 500 ack 101
r1 ip 10.1.0.1 10.0.0.1 df id 12 tos 0x2e tcp 80 30001 PA seq 501 ack 106 data world
r1 ip 10.1.0.1 10.0.0.1 ttl 3 tcp 80 30001 A seq 506 ack 106 size 1460
title 'what has no connection'
r1 ip 10.1.0.1 10.0.0.1 tcp 80 30002 A
r2 ip 10.1.0.2 10.0.0.1 tcp 80 30001 A
r1 ip 10.1.0.1 10.0.0.1 tcp 81 30001 A
