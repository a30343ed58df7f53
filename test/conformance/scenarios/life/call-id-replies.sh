# What a masqueraded real server sends by itself from its port of a service with the engine sip is translated, and begins a
# connection, or without entries is remembered by its Call-ID (ip_vs_new_conn_out).
hex() {
  local text i
  printf -v text "$1"
  for ((i = 0; i < ${#text}; i++)); do printf '%02x' "'${text:i:1}"; done
}
message() { hex "SIP/2.0 200 OK\r\nCall-ID: $1\r\n\r\n"; }
look() {
  connections
  ipvs '-Lnc --persistent-conn'
  settle
  ipvs '-Ln --stats'
}

title 'one packet'
serve "-u $VIP:80 -s rr -o -p 600 -M 0.0.0.0 --pe sip" -m 1 1
c ip 10.0.0.1 $VIP udp 2600 80 hex $(message one)
r2 ip 10.1.0.2 10.0.0.1 udp 80 2600 hex $(message one)
r1 ip 10.1.0.1 10.0.0.1 udp 80 2600 hex $(message one)
c ip 10.0.0.2 $VIP udp 2600 80 hex $(message one)
r2 ip 10.1.0.2 10.0.0.3 udp 80 5060 hex $(message two)
c ip 10.0.0.2 $VIP udp 2600 80 hex $(message two)
r1 ip 10.1.0.1 10.0.0.1 udp 81 2600 hex $(message one)
r1 ip 10.1.0.1 10.0.0.1 udp 80 2600 hex $(hex nothing)
look

title 'with entries'
ipvs -C
serve "-u $VIP:80 -s rr -p 600 --pe sip" -m 1 1
r2 ip 10.1.0.2 10.0.0.3 udp 80 5060 hex $(message two)
c ip 10.0.0.3 $VIP udp 5060 80 data q
c ip 10.0.0.3 $VIP udp 5061 80 hex $(message two)
r1 ip 10.1.0.1 10.0.0.3 udp 80 5062 hex $(message two)
r1 ip 10.1.0.1 10.0.0.4 udp 80 5060 hex $(hex nothing)
look

title 'without persistence, of a mark, and by gate'
ipvs -C
serve "-u $VIP:80 -s rr --pe sip" -m 1 1
r2 ip 10.1.0.2 10.0.0.6 udp 80 5060 hex $(message two)
look
ipvs -C
serve "-u $VIP:80 -s rr -p 600 --pe sip" -g 1 1
r2 ip 10.1.0.2 10.0.0.7 udp 80 5060 hex $(message two)
look
ipvs -C
mark 5 udp $VIP/32 80
serve "-f 5 -s rr -p 600 --pe sip" -m 1 1
c ip 10.0.0.1 $VIP udp 2600 80 hex $(message marked)
c ip 10.0.0.1 $VIP udp 2600 80 data more
c ip 10.0.0.2 $VIP udp 2600 80 data nothing
r1 ip 10.1.0.1 10.0.0.8 udp 80 5060 hex $(message two)
look
