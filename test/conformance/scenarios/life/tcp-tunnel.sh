# A TCP connection's entry from SYN to the end, in every way it can end: LVS's tunnel.
next() { serve "-t $VIP:$((++port)) -s rr" -i 1; client=$((25000 + port)); forget; }
show() { look; ipvs "-Ln -t $VIP:$port"; ipvsadm -C; }
look() { ipvs "-Lnc | grep :$client"; }

title 'SYN, and a silent real server'
next
open 1 tcp 10.0.0.1 $client $VIP $port syn
show
title 'established, then the client closes, then the real server'
next
open 1 tcp 10.0.0.1 $client $VIP $port
look
talk 0
look
close 0
show
title 'the client closes, the real server goes on'
next
open 1 tcp 10.0.0.1 $client $VIP $port
c ip 10.0.0.1 $VIP tcp $client $port FA seq 1001 ack 6
look
talk 0 server
show
title 'the real server closes first'
next
open 1 tcp 10.0.0.1 $client $VIP $port
close 0 server
show
title 'the client resets'
next
open 1 tcp 10.0.0.1 $client $VIP $port
reset 0
show
title 'the real server resets'
next
open 1 tcp 10.0.0.1 $client $VIP $port
reset 0 server
show
title 'a SYN that is reset'
next
open 1 tcp 10.0.0.1 $client $VIP $port syn
reset 0 server
show
title 'SYN, SYN from the other side, FIN before the handshake is over'
next
open 1 tcp 10.0.0.1 $client $VIP $port syn
c ip 10.0.0.1 $VIP tcp $client $port FA seq 1001
show
title 'a new SYN of the same client port after the end, and amid the connection'
next
open 1 tcp 10.0.0.1 $client $VIP $port
close 0
open 1 tcp 10.0.0.1 $client $VIP $port
look
c ip 10.0.0.1 $VIP tcp $client $port S seq 7000
show
