#!/bin/bash
# Runs one scenario in a network namespace of its own: this script's namespace is the director.
#   scenario.sh ipvs|fairlead PEERS SCENARIO      (absolute paths, its own too)
# What it prints is the transcript. `$ command` and `> what the peers do` head the steps; stderr's lines begin with `! `, an
# exit status other than 0 is a line `= STATUS`. `@ SECONDS` before and after each step says when that was.
#
#   client           10.0.0.1 ...  c0 -- d0  10.0.0.254, VIPs 10.0.0.100 .101   director
#   real servers 1-9 10.1.0.1 ...  e0 -- d1  10.1.0.254
# with fd00:a:: and fd00:b:: beside. 172.16.0.0/12 is behind the client, 10.2.0.0/24 behind real server 1.
director=$1 peers=$2 scenario=$3
VIP=10.0.0.100 VIP2=10.0.0.101 VIP6=fd00:a::100
root=${BASH_SOURCE[0]%/test/conformance/*}
work=/tmp/fairlead-scenario-$$
mkdir "$work"
listeners=()
trap 'rm -rf "$work"; [ ${#listeners[@]} = 0 ] || kill "${listeners[@]}"' EXIT

now() { echo "@ $EPOCHREALTIME"; }
step() {
  now
  printf '%s\n' "$*"
}

# Every program that is started costs the emulated machine 50 ms.
show_file() {
  local lines
  mapfile -t lines <"$2"
  [ ${#lines[@]} = 0 ] || printf "$1%s\n" "${lines[@]}"
}

# Runs a command line on the director, and shows what came of it.
t() {
  local status
  step "$ $1"
  (eval "$1") >"$work/out" 2>"$work/err" </dev/null
  status=$?
  show_file '' "$work/out"
  show_file '! ' "$work/err"
  [ $status = 0 ] || echo "= $status"
  now
}

ipvs() { t "ipvsadm $*"; }
# Not part of the transcript.
quietly() { "$@" >/dev/null 2>&1; }
title() { printf '## %s\n' "$*"; }

# serve '-t 10.0.0.100:1001 -s wrr' -m 1 2 3: a new service, with real servers 1, 2 and 3 of these weights. Masqueraded ones
# listen on port 80.
serve() {
  local service=$1 method=$2 number=0 weight port=
  shift 2
  case $method in -m*) port=:80 ;; esac
  step "$ serve $service with $method $*"
  {
    echo "-A $service"
    for weight; do echo "-a ${service%% -s*} -r 10.1.0.$((++number))$port $method -w $weight"; done
  } | ipvsadm -R 2>&1
}

list() { ipvs -Ln; }
connections() { ipvs -Lnc; }

# What the director does to connections under net.ipv4.vs.
setting() {
  step "$ setting $1 $2"
  case $director in
  ipvs) echo "$2" >"/proc/sys/net/ipv4/vs/$1" ;;
  fairlead) fairlead settings "$1=$2" >"$work/out" 2>&1 || show_file '! ' "$work/out" ;;
  esac
}

show_setting() {
  step "$ setting $1"
  case $director in
  ipvs) echo "$(</proc/sys/net/ipv4/vs/"$1")" ;;
  fairlead) fairlead settings "$1" 2>&1 ;;
  esac
}

# mark 5 tcp 10.0.0.101/32 80: packets that come in by d0 get this mark. Protocol and port may be `any`.
mark() {
  step "$ mark $*"
  local mark=$1 protocol=$2 prefix=$3 port=${4:-any} family=ip
  case $prefix in *:*) family=ipv6 ;; esac
  case $director in
  ipvs)
    tc qdisc show dev d0 | grep -q clsact || tc qdisc add dev d0 clsact
    local match=(dst_ip "$prefix")
    [ "$protocol" = any ] || match+=(ip_proto "$protocol")
    [ "$port" = any ] || match+=(dst_port "$port")
    tc filter add dev d0 ingress protocol $family flower "${match[@]}" action skbedit mark "$mark"
    ;;
  fairlead)
    local words=(-d "$prefix" --set-mark "$mark")
    [ "$protocol" = any ] || words+=(-p "$protocol")
    [ "$port" = any ] || words+=(--dports "$port")
    fairlead mark add "${words[@]}" >"$work/out" 2>&1 || show_file '! ' "$work/out"
    ;;
  esac
}

# IPVS brings --stats up to date every two seconds.
settle() { [ "$director" = fairlead ] || sleep 2.2; }

peers() {
  local line
  echo "$*" >&"${PEERS[1]}"
  while IFS= read -r line <&"${PEERS[0]}" && [ "$line" != . ]; do printf '%s\n' "$line"; done
}

# Frames, and whole connections: see peers/.
for verb in c r1 r2 r3 r4 r5 r6 r7 r8 r9 fragment repeat open close reset talk; do
  eval "$verb() { step \"> $verb \$*\"; peers $verb \"\$*\"; now; }"
done
# Instead of the peers: hosts with stacks of their own. The director has the interface `outside`, on a bridge with the client,
# and `inside`, a link to the real server, which is on the bridge as well.
#   client 192.0.2.2   director 192.0.2.1, 172.16.0.1   real server 192.0.2.3, 172.16.0.2
real_hosts() {
  ip link delete d0
  ip link delete d1
  mkdir -p /run/netns && mount -t tmpfs none /run/netns
  ip netns add client && ip netns add server
  ip link add outside type veth peer name to-director netns client
  ip link add inside type veth peer name inside netns server
  ip -n client link add to-server type veth peer name outside netns server
  ip -n client link add bridge type bridge forward_delay 0
  for link in to-director to-server; do ip -n client link set $link master bridge up; done
  ip -n client link set lo up
  ip -n client link set bridge up
  ip -n client address add 192.0.2.2/24 dev bridge
  ip -n client route add 203.0.113.10 via 192.0.2.1
  for link in outside inside; do ip link set $link up && ip -n server link set $link up; done
  ip -n server link set lo up
  ip address add 192.0.2.1/24 dev outside && ip address add 172.16.0.1/24 dev inside
  ip -n server address add 192.0.2.3/24 dev outside && ip -n server address add 172.16.0.2/24 dev inside
}

# The real server takes what comes in IP in IP for $1.
decapsulate() {
  ip -n server address add "$1/32" dev lo
  quietly ip -n server link set tunl0 up || quietly ip netns exec server "$root/bin/fairlead" realserver add "$1" --method tunnel
  quietly ip netns exec server sysctl -w net.ipv4.conf.tunl0.rp_filter=0
}

# 32 bytes from the client to port 8080 of 203.0.113.10, as the real server got them.
send_file() {
  local receiver
  step "> socat"
  head -c 32 /dev/urandom >"$work/sent"
  timeout 60 ip netns exec server socat -u TCP4-LISTEN:8080,reuseaddr "CREATE:$work/received" &
  receiver=$!
  until ip netns exec server ss -Hltn 'sport = 8080' | grep -q .; do sleep 0.02; done
  ip netns exec client socat -u "FILE:$work/sent" TCP4:203.0.113.10:8080,connect-timeout=10 2>"$work/err" || {
    sed 's/.*: /! /' "$work/err"
    kill $receiver
  }
  wait $receiver 2>/dev/null
  cmp -s "$work/sent" "$work/received" && echo PASS || echo FAIL
  now
}

on() {
  local host=$1
  shift
  if [ "$host" = director ]; then "$@"; else ip netns exec "$host" "$@"; fi
}

# Host $1 answers with its name: listen director tcp 80 8080
listen() {
  local host=$1 protocol=$2 port
  shift 2
  for port; do
    case $protocol in
    tcp) on "$host" socat -U "TCP4-LISTEN:$port,fork,reuseaddr" "SYSTEM:echo $host $port" & ;;
    udp) on "$host" socat "UDP4-RECVFROM:$port,fork,reuseaddr" "SYSTEM:echo $host $port" & ;;
    esac
    listeners+=($!)
    until on "$host" ss -Hln$([ "$protocol" = tcp ] && echo t || echo u) "sport = $port" | grep -q .; do sleep 0.02; done
  done
}

# What $1 is answered, from address and port $3 to $4: ask client tcp 192.0.2.2:1025 203.0.113.10:80
ask() {
  step "> ask $*"
  case $2 in
  tcp) on "$1" timeout 10 socat -u "TCP4:$4,bind=$3,reuseaddr,connect-timeout=2" - ;;
  udp) echo | on "$1" timeout 10 socat -t1 - "UDP4:$4,bind=$3,reuseaddr" ;;
  esac 2>"$work/err" || sed 's/.*: /! /' "$work/err"
  now
}

forget() { peers forget >/dev/null; }
gue() { peers gue "$1" >/dev/null; }

lay_out() {
  local number line
  cd /proc/sys/net || exit
  for line in ipv4/conf/{all,default}/{rp_filter,send_redirects}=0 ipv4/icmp_{ratelimit,ratemask}=0 ipv6/icmp/ratelimit=0 \
    ipv6/conf/default/{accept_dad,router_solicitations,accept_ra}=0; do
    echo "${line#*=}" >"${line%=*}"
  done 2>/dev/null
  cd "$work" || exit
  coproc PEERS { exec "$peers" c0 e0; }
  read -r <&"${PEERS[0]}"
  {
    echo link set lo up
    echo "link add d0 address 02:00:00:00:00:d0 type veth peer name c0 address 02:00:00:00:00:c0 mtu 65535 netns $PEERS_PID"
    echo "link add d1 address 02:00:00:00:00:d1 type veth peer name e0 address 02:00:00:00:01:00 mtu 65535 netns $PEERS_PID"
    echo link set d0 up
    echo link set d1 up
    for line in "10.0.0.254/24 dev d0" "$VIP/32 dev d0" "$VIP2/32 dev d0" "10.1.0.254/24 dev d1" \
      "fd00:a::254/64 dev d0 nodad" "$VIP6/128 dev d0 nodad" "fd00:b::254/64 dev d1 nodad"; do
      echo "address add $line"
    done
    for number in {1..20}; do
      printf -v line fd00:a::%x $number
      echo "neighbour add 10.0.0.$number lladdr 02:00:00:00:00:c0 dev d0 nud permanent"
      echo "neighbour add $line lladdr 02:00:00:00:00:c0 dev d0 nud permanent"
    done
    for number in {1..9}; do
      echo "neighbour add 10.1.0.$number lladdr 02:00:00:00:01:0$number dev d1 nud permanent"
      echo "neighbour add fd00:b::$number lladdr 02:00:00:00:01:0$number dev d1 nud permanent"
    done
    echo route add 172.16.0.0/12 via 10.0.0.1
    echo route add 10.2.0.0/24 via 10.1.0.1
  } | ip -batch -
  echo 1 >/proc/sys/net/ipv4/ip_forward
  echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
  echo >&"${PEERS[1]}"
  read -r <&"${PEERS[0]}"
}

lay_out
. "$scenario"
