# FTP by masquerading (ip_vs_ftp): the server's address in its answers to PASV becomes the VIP, later sequence numbers follow, and
# data connections go to the control connection's real server, or come from it.
hex() {
  local text i
  printf -v text "$1"
  for ((i = 0; i < ${#text}; i++)); do printf '%02x' "'${text:i:1}"; done
}
# begin CLIENT_PORT: a control connection. What either end says moves its own number on; the client has $longer bytes more of the
# server's than that sent.
begin() {
  port=$1 client_next=1001 server_next=5001 longer=0
  c ip $client $vip tcp $port 21 S seq 1000
  server SA seq 5000 ack 1001
  c ip $client $vip tcp $port 21 A seq 1001 ack 5001
}
server() { r1 ip $rip $client tcp 21 $port "$@"; }
client_says() {
  local words
  words=$(hex "$1\r\n")
  c ip $client $vip tcp $port 21 PA seq $client_next ack $((server_next + longer)) hex $words
  : $((client_next += ${#words} / 2))
}
# server_says TEXT [WHAT IT IS LONGER BY]
server_says() {
  local words
  words=$(hex "$1\r\n")
  server PA seq $server_next ack $client_next hex $words
  : $((server_next += ${#words} / 2, longer += ${2:-0}))
}
serve_ftp() {
  step "$ serve_ftp $*"
  printf '%s\n' "-A -t $bracketed:21 $*" "-a -t $bracketed:21 -r $bracketed_rip:21 -m" | ipvsadm -R 2>&1
}

client=10.0.0.1 vip=$VIP rip=10.1.0.1 bracketed=$VIP bracketed_rip=10.1.0.1
serve_ftp -s rr
begin 3000
server_says '220 ready'
title 'passive'
client_says PASV
connections
server_says '227 Entering Passive Mode (10,1,0,1,200,13).' 2
connections
client_says 'LIST'
server_says '150 Here it comes'
c ip $client $vip tcp 4000 51213 S seq 100
connections
r1 ip $rip $client tcp 51213 4000 SA seq 900 ack 101
c ip $client $vip tcp 4000 51213 A seq 101 ack 901
connections
r1 ip $rip $client tcp 51213 4000 PA seq 901 ack 101 data files
server_says '226 done'
client_says 'pasv'
server_says '227 =10,1,0,1,4,1' 2
client_says EPSV
server_says '229 Entering Extended Passive Mode (|||1026|)'
connections
c ip $client $vip tcp 4001 1026 S seq 100
title 'SACK'
c ip $client $vip tcp $port 21 A seq $client_next ack $((server_next + longer)) opt 0101050a$(printf %08x%08x $((server_next + longer + 5)) $((server_next + longer + 9)))
title 'active'
client_says 'PORT 10,0,0,1,19,137'
connections
r1 ip $rip $client tcp 20 5001 S seq 700
connections
c ip $client $vip tcp 5001 20 SA seq 300 ack 701
r1 ip $rip $client tcp 20 5001 A seq 701 ack 301
connections
client_says 'EPRT |1|10.0.0.1|5002|'
r1 ip $rip $client tcp 20 5002 S seq 700
connections
settle
ipvs '-Ln --stats'
title 'what is none of these'
client_says 'PORT 10,0,0,1,19'
client_says 'PORT 10,0,0,1,19,256'
client_says 'PORT 10,0,0,1,19,139,1'
client_says 'EPRT |2|10.0.0.1|5004|'
client_says 'EPRT |1|10.0.0.1|65536|'
client_says 'EPRT  !1!10.0.0.1!5005!'
client_says PASV
server_says '227 Entering Passive Mode (10,1,0,1,200)'
server_says '227 none at all'
connections
title 'by IPv6'
ipvs -C
client=fd00:a::1 vip=$VIP6 rip=fd00:b::1 bracketed=[$VIP6] bracketed_rip=[fd00:b::1]
serve_ftp -s rr -p 60
begin 3001
client_says 'EPSV 2'
server_says '229 Entering Extended Passive Mode (|||1026|)'
c ip $client $vip tcp 4001 1026 S seq 100
client_says 'EPRT |2|fd00:a::1|5001|'
r1 ip $rip $client tcp 20 5001 S seq 700
c ip $client $vip tcp 5001 20 SA seq 300 ack 701
connections
