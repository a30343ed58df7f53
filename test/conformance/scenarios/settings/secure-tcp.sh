# Another table of TCP's states: by masq the real server's side establishes a connection.
setting secure_tcp 3
port=2000
for method in -m -g -i; do
  serve "-t $VIP:$((++port)) -s rr" $method 1
  look() { ipvs "-Lnc | grep ':$1 .*:$port '"; }
  open 1 tcp 10.0.0.1 30001 $VIP $port syn
  look 30001
  for flags in S A A FA S; do
    c ip 10.0.0.1 $VIP tcp 30001 $port $flags seq 1001
    look 30001
    ipvs "-Ln -t $VIP:$port"
  done
  forget
  open 1 tcp 10.0.0.1 30002 $VIP $port
  look 30002
  reset 0
  look 30002
  forget
  open 1 tcp 10.0.0.1 30003 $VIP $port
  close 0
  look 30003
  forget
  open 1 tcp 10.0.0.1 30004 $VIP $port syn
  c ip 10.0.0.1 $VIP tcp 30004 $port R seq 1001
  look 30004
done
setting secure_tcp 1
show_setting secure_tcp
open 1 tcp 10.0.0.1 30005 $VIP $port
look 30005
