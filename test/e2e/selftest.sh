#!/bin/bash
# The steps of the kernel's own test of IPVS (tools/testing/selftests/netfilter/ipvs.sh), each by what that gives: `ipvsadm` is the
# first in PATH. Prints PASS or FAIL for each method that its arguments name: dr, nat, tun.
#
#   client  br0 10.0.0.2  --  10.0.0.1  director  172.16.0.1  --  172.16.0.2  real server
#                `---------------------- 10.0.0.3 ------------------------------'
#
# It differs in this: namespaces have names of their own, so that it may run twice at once; socat in nc's place, and waiting until
# it listens in place of a second's sleep; a host starts with rp_filter 0, as the kernel has it, for a new namespace has the
# settings of the one it is made in; what it made it takes away. For the tunnel a real server needs tunl0, which not every
# kernel has: there `fairlead realserver` takes the packets out.
set -eu
vip=207.175.44.110 port=8080
dip=172.16.0.1 rip=172.16.0.2
prefix=fairlead-selftest-$$-
client=${prefix}0 director=${prefix}1 server=${prefix}2
work=$(mktemp -d)
trap 'clean; rm -r "$work"' EXIT

in0() { ip netns exec "$client" "$@"; }
in1() { ip netns exec "$director" "$@"; }
in2() { ip netns exec "$server" "$@"; }

clean() {
  [ -z "${listener-}" ] || kill "$listener" 2>/dev/null || true
  in1 fairlead detach >"$work/detached" 2>&1 || true
  in2 fairlead realserver remove $vip >>"$work/detached" 2>&1 || true
  for name in "$client" "$director" "$server"; do ip netns delete "$name" 2>/dev/null || true; done
}

setup() {
  for name in "$client" "$director" "$server"; do
    ip netns add "$name"
    ip netns exec "$name" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
  done
  ip link add veth01 netns "$client" type veth peer name veth10 netns "$director"
  ip link add veth02 netns "$client" type veth peer name veth20 netns "$server"
  ip link add veth12 netns "$director" type veth peer name veth21 netns "$server"

  in0 ip link set veth01 up
  in0 ip link set veth02 up
  in0 ip link add br0 type bridge
  in0 ip link set veth01 master br0
  in0 ip link set veth02 master br0
  in0 ip link set br0 up
  in0 ip address add 10.0.0.2/24 dev br0

  in1 ip link set lo up
  in1 ip link set veth10 up
  in1 ip address add 10.0.0.1/24 dev veth10
  in1 ip link set veth12 up
  in1 ip address add $dip/24 dev veth12

  in2 ip link set lo up
  in2 ip link set veth21 up
  in2 ip address add $rip/24 dev veth21
  in2 ip link set veth20 up
  in2 ip address add 10.0.0.3/24 dev veth20

  in0 ip route add $vip via 10.0.0.1 dev br0
  dd if=/dev/urandom of="$work/sent" bs=32 count=1 status=none
}

# What the real server of dr and tun keeps to itself, and takes.
hold_vip() {
  in2 sysctl -qw net.ipv4.conf.all.arp_ignore=1
  in2 sysctl -qw net.ipv4.conf.all.arp_announce=2
  in2 sysctl -qw net.ipv4.conf.all.rp_filter=0
  in2 sysctl -qw net.ipv4.conf.veth21.rp_filter=0
  in2 ip address add $vip/32 dev lo:1
}

run_dr() {
  in1 sysctl -qw net.ipv4.ip_forward=1
  in1 ipvsadm -A -t $vip:$port -s rr
  in1 ipvsadm -a -t $vip:$port -r $rip:$port
  in1 ip address add $vip/32 dev lo:1
  hold_vip
}

run_nat() {
  in1 sysctl -qw net.ipv4.ip_forward=1
  in1 ipvsadm -A -t $vip:$port -s rr
  in1 ipvsadm -a -m -t $vip:$port -r $rip:$port
  in1 ip address add $vip/32 dev lo:1
  in2 ip link delete veth20
  in2 ip route add default via $dip dev veth21
}

run_tun() {
  in1 sysctl -qw net.ipv4.ip_forward=0
  in1 ipvsadm -A -t $vip:$port -s rr
  in1 ipvsadm -a -i -t $vip:$port -r $rip:$port
  in1 ip address add $vip/32 dev lo:1
  if in2 ip link set tunl0 up 2>/dev/null; then
    in2 sysctl -qw net.ipv4.conf.tunl0.rp_filter=0
    hold_vip
  else
    in2 fairlead realserver add $vip --method tunnel >"$work/realserver"
  fi
}

pass_data() {
  in2 timeout 20 socat -u TCP4-LISTEN:$port,reuseaddr "CREATE:$work/received" &
  listener=$!
  until in2 ss -Hltn "sport = $port" | grep -q .; do kill -0 $listener && sleep 0.02; done
  in0 timeout 20 socat -u "OPEN:$work/sent" TCP4:$vip:$port,connect-timeout=10 || return
  wait $listener && cmp "$work/sent" "$work/received"
}

for method; do
  clean
  setup
  "run_$method"
  if pass_data; then echo "$method PASS"; else echo "$method FAIL"; fi
done
