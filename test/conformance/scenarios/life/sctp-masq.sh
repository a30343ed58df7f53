# An SCTP association's entry: LVS's masq.
serve "--sctp-service $VIP:9899 -s rr" -m 1
open 1 sctp 10.0.0.1 27002 $VIP 9899
connections
list
c ip 10.0.0.1 $VIP sctp 27002 9899 1 data
ipvs -Lnc
c ip 10.0.0.1 $VIP sctp 27002 9899 1 shutdown
ipvs -Lnc
r1 ip 10.1.0.1 10.0.0.1 sctp 80 27002 1 shutdown-ack
ipvs -Lnc
c ip 10.0.0.1 $VIP sctp 27002 9899 1 shutdown-complete
connections
list
open 1 sctp 10.0.0.1 27003 $VIP 9899
c ip 10.0.0.1 $VIP sctp 27003 9899 1 abort
connections
open 1 sctp 10.0.0.1 27004 $VIP 9899
r1 ip 10.1.0.1 10.0.0.1 sctp 80 27004 1 shutdown
connections
list
title 'one that is only begun has 3 s'
open 1 sctp 10.0.0.1 27001 $VIP 9899 syn
connections
