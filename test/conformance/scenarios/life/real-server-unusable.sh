# Packets of connections whose real server weighs nothing, is full or is gone, by expire_nodest_conn.
for mode in 0 1; do
  setting expire_nodest_conn $mode
  for method in -m -g; do
    for change in '-e -w 0' '-d' '-e -x 1'; do
      serve "-t $VIP:$((++port)) -s rr" $method 1 1
      serve "-u $VIP:$port -s rr" $method 1 1
      forget
      open 2 tcp 10.0.0.1 $((client = 20000 + 10 * port)) $VIP $port
      open 2 udp 10.0.0.1 $client $VIP $port
      real=10.1.0.2
      [ $method = -g ] || real=$real:80
      set -- $change
      for option in -t -u; do ipvs "$1 $option $VIP:$port -r $real $([ $1 = -d ] || echo $method) $2 $3"; done
      talk all
      c ip 10.0.0.1 $VIP tcp $client $port S seq 9000
      c ip 10.0.0.1 $VIP tcp $client $port A seq 9001
      talk all
      t "ipvsadm -Lnc | grep '[.]100:$port '"
      ipvs "-Ln -t $VIP:$port"
      ipvs "-Ln -u $VIP:$port"
    done
  done
done
