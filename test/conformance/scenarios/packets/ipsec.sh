# ESP and AH follow the client's IKE.
c ip 10.0.0.9 $VIP esp 0x1234 1 size 32
c ip 10.0.0.9 $VIP ah 17 0x5678 1 hex 0001000200080000
number=9
for method in -m -g -i; do
  ipvs "-A -u $VIP:500 -s rr"
  ipvs "-a -u $VIP:500 -r 10.1.0.1:500 $method"
  c ip 10.0.0.$number $VIP udp 500 500 data isakmp
  c ip 10.0.0.$number $VIP esp 0x1234 1 size 32
  c ip 10.0.0.$number $VIP ah 17 0x5678 1 hex 0001000200080000
  r1 ip 10.1.0.1 10.0.0.$number esp 0x1234 1 size 32
  connections
  ipvs -C
  number=$((number + 1)) # one who has no entry yet
done
