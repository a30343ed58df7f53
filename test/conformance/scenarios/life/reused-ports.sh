# A new SYN on a client port that has an entry: by conn_reuse_mode, the entry's state, and its real server's weight.
for mode in 1 0 2; do
  setting conn_reuse_mode $mode
  for method in -m -g; do
    for ending in 'close 0' 'close 0 server' 'reset 0' 'reset 0 server' 'fin'; do
      serve "-t $VIP:$((++port)) -s rr" $method 1 1
      forget
      open 1 tcp 10.0.0.1 $((client = 20000 + port)) $VIP $port
      case $ending in fin) c ip 10.0.0.1 $VIP tcp $client $port FA seq 1001 ;; *) $ending ;; esac
      c ip 10.0.0.1 $VIP tcp $client $port S seq 9000
      c ip 10.0.0.1 $VIP tcp $client $port S seq 9000
      t "ipvsadm -Lnc | grep :$client"
    done
  done
done
