# ESP and AH follow the client's IKE.
for method in -m -g -i; do
  c ip 10.0.0.9 $VIP esp 0x1234 1 size 32
  c ip 10.0.0.9 $VIP ah 17 0x5678 1 hex 0001000200080000
  serve "-u $VIP:500 -s rr" "$method" 1
  [ $method != -m ] || ipvsadm -C
  [ $method != -m ] || { ipvsadm -A -u $VIP:500 -s rr && ipvsadm -a -u $VIP:500 -r 10.1.0.1:500 -m; }
  c ip 10.0.0.9 $VIP udp 500 500 data isakmp
  c ip 10.0.0.9 $VIP esp 0x1234 1 size 32
  c ip 10.0.0.9 $VIP ah 17 0x5678 1 hex 0001000200080000
  r1 ip 10.1.0.1 10.0.0.9 esp 0x1234 1 size 32
  connections
  ipvs -C
  settle
  setting expire_nodest_conn 1
  c ip 10.0.0.9 $VIP udp 500 500 data gone
  setting expire_nodest_conn 0
done
