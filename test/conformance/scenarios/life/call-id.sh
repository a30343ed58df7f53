# Datagrams with one Call-ID go to one real server (ip_vs_pe_sip): whoever of a network sends them, with entries and without.
hex() {
  local text i
  printf -v text "$1"
  for ((i = 0; i < ${#text}; i++)); do printf '%02x' "'${text:i:1}"; done
}
# sip FROM PORT MESSAGE [SENDER TO PORT]: its lines end as printf says.
sip() { c ip $1 $VIP udp $2 $port hex $(hex "$3"); }
message() { echo "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP b\r\n$1\r\nContent-Length: 0\r\n\r\n"; }
look() {
  ipvs '-Lnc --persistent-conn'
  ipvs '-Ln --persistent-conn'
}

title 'with entries'
port=5060
serve "-u $VIP:$port -s rr -p 600 --pe sip" -m 1 1 1
sip 10.0.0.1 2600 "$(message 'Call-ID: one@host')"
sip 10.0.0.1 2601 "$(message 'Call-ID: one@host')"
sip 10.0.0.1 2602 "$(message 'Call-ID: two@host')"
sip 10.0.0.2 2600 "$(message 'Call-ID: one@host')"
sip 10.0.0.1 2600 "$(message 'Call-ID: three@host')"
sip 10.0.0.3 2600 'no message'
connections
look

for method in -m -g; do
  title "one packet, of all clients, $method"
  : $((port++))
  serve "-u $VIP:$port -s rr -o -p 600 -M 0.0.0.0 --pe sip" $method 1 1 1
  sip 10.0.0.1 2600 "$(message 'Call-ID: a84b4c76e66710@pc33.atlanta.example.com')"
  sip 10.0.0.2 2601 "$(message 'call-id :  \t a84b4c76e66710@pc33.atlanta.example.com')"
  sip 10.0.0.3 2602 "$(message 'i:a84b4c76e66710@pc33.atlanta.example.com')"
  sip 10.0.0.4 2603 "$(message 'I : b\r\n\tc')"
  sip 10.0.0.5 2604 "$(message 'i: b')"
  sip 10.0.0.5 2604 "$(message 'i: B')"
  look
  settle
  ipvs '-Ln --stats'
done

title 'what is no Call-ID'
for line in 'Call-ID:' 'Call-ID: a b' 'Call-ID: a@' 'Call-ID: a;b' 'Call-ID; a' 'Call-IDs: a' 'ia: b' ' Call-ID: c' 'i\r\n : folded' \
  'Call-ID:\r\n unfolded' 'Call-ID:\r\nVia: x' 'Call-ID: a@b@c' 'i:q\nx'; do
  sip 10.0.0.1 2600 "$(message "$line")"
done
sip 10.0.0.1 2600 'Call-ID: first\r\n\r\n'
sip 10.0.0.1 2600 '\r\nCall-ID: second\r\n\r\n'
sip 10.0.0.1 2600 '\nCall-ID: third\n'
sip 10.0.0.1 2600 'x\rCall-ID: fourth\rx'
sip 10.0.0.1 2600 'x\r\nCall-ID: at-the-end'
sip 10.0.0.1 2600 'x\r\nCall-ID: at-the-end\r'
sip 10.0.0.1 2600 'x\r\nCall-ID: a@\r\nCall-ID: later\r\n'
sip 10.0.0.1 2600 'x\r\nCall-ID a@\r\nCall-ID: later\r\n'
sip 10.0.0.1 2600 'x\r\nCall-ID: !"%%()*+:<>?[\\]_`{}~-./'"'"'@!\r\n'
sip 10.0.0.1 2600 "$(message "$(printf '%0600d' 0)\r\ni: far")"
c ip 10.0.0.1 $VIP udp 2600 $port
look
# Which ipvsadm's -c can't list.
printf -v long '%0255d' 0
sip 10.0.0.1 2600 "$(message "i: $long")"
sip 10.0.0.1 2600 "$(message "i: 1$long")"
ipvs '-Ln --persistent-conn'
