// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Health checks take the path of clients. What this host sends to a probe address leaves, as if a client had sent it to the VIP,
 * for the one real server that the address stands for, by its method; and what that answers as the VIP comes back from the probe
 * address. So this host's own stack, which holds the VIP itself, sees a plain connection to another host.
 *
 * probe_out is at the egress of an interface that only probe addresses are routed to, probe_in at the ingress of all others.
 */
#include "fairlead.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#define AF_INET 2
#define AF_INET6 10
#define LOOPBACK 1 /* its index in every namespace */
#define L3 ETH_HLEN
#define TTL 64
#define DONT_FRAGMENT 0x4000
#define TCP_FLAGS 13 /* the byte that they are in */
#define TCP_FIN_RST 0x05
#define TCP_SYN 0x02

/* ICMP of both families, as far as it is looked at. */
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO_REQUEST 8
#define ICMP6_UNREACHABLE 1
#define ICMP6_ECHO_REQUEST 128
#define ICMP6_ECHO_REPLY 129

#ifndef BPF_FIB_LOOKUP_SKIP_NEIGH
#define BPF_FIB_LOOKUP_SKIP_NEIGH (1U << 2)
#endif
#ifndef BPF_FIB_LOOKUP_SRC
#define BPF_FIB_LOOKUP_SRC (1U << 4)
#endif
#ifndef BPF_F_IPV6
#define BPF_F_IPV6 (1U << 7)
#endif

/*
 * What probes are sent from: above the range that Linux takes ports from, so that most packets are told apart from answers to
 * probes by one comparison. A power of two of them.
 */
#define PORT_LOW 61440
#define PORTS 4096
#define ATTEMPTS 16
#define IDLE_NS 20000000000ULL /* a port that was silent so long may be another's */
#define IDLE_ENDED_NS 2000000000ULL /* the same after the end of its TCP connection */

/* A real server as one VIP's clients reach it. */
struct probe_path {
	struct address vip;
	struct address rip;
	struct address source; /* what it answers to; none: this host's own address on the way there */
	__u8 family; /* of the VIP and of the probe address */
	__u8 way_family; /* of the real server's address */
	__u8 method; /* METHOD_GATE or METHOD_TUNNEL */
	__u8 tunnel; /* its type, of enum tunnel */
	__be16 tunnel_port; /* GUE */
	__u16 unused;
};

/* Where answers are let in. */
struct probe_entry {
	struct address four; /* what this host's own stack sends probes from */
	struct address six;
	__u32 ifindex;
	__u8 mac[6];
	__u16 unused;
};

/* What an answer bears. Of ICMP the id is the port, and the other one is 0. */
struct probe_key {
	struct address vip;
	struct address source;
	__be16 vport;
	__be16 port;
	__u32 protocol;
};

/* What it is translated to. */
struct probe_flow {
	struct address probe;
	__be16 port;
	__u16 has_ended;
	__u32 unused;
	__u64 seen_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address); /* a probe address */
	__type(value, struct probe_path);
	__uint(max_entries, 262144);
} probe_paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct probe_key);
	__type(value, struct probe_flow);
	__uint(max_entries, 32768);
} probe_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct probe_entry);
	__uint(max_entries, 1);
} probe_entries SEC(".maps");

/* No map mentions these: this brings their names into the BTF. */
const volatile struct {
	enum method method;
	enum tunnel tunnel;
} vocabulary;

struct icmp {
	__u8 type;
	__u8 code;
	__be16 check;
	__be16 id;
	__be16 sequence;
};

struct facts {
	struct address source;
	struct address target;
	__be16 ports[2]; /* source, target */
	__u32 l4;
	__u32 check; /* where the checksum is */
	__u8 family;
	__u8 protocol;
	bool is_begin; /* of a TCP connection */
	bool is_end;
	bool is_error; /* an ICMP error: the rest is about the packet it quotes, as its answer would be */
};

struct way {
	__u32 ifindex;
	struct address gateway;
	struct address source;
};

static __always_inline bool is_none(const struct address *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

static __always_inline bool is_icmp(const struct facts *facts)
{
	return facts->protocol == IPPROTO_ICMP || facts->protocol == IPPROTO_ICMPV6;
}

/* -- reading: false for what is none of these programs' business -- */

static __always_inline bool read_ip(struct __sk_buff *skb, __u32 l3, struct facts *facts)
{
	if (facts->family == FAMILY_4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl != 5 ||
		    ip.frag_off & bpf_htons(0x3fff))
			return false;
		facts->protocol = ip.protocol;
		facts->source.word[0] = ip.saddr;
		facts->target.word[0] = ip.daddr;
		facts->l4 = l3 + sizeof(ip);
	} else {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 6)
			return false;
		facts->protocol = ip.nexthdr;
		__builtin_memcpy(&facts->source, &ip.saddr, sizeof(ip.saddr));
		__builtin_memcpy(&facts->target, &ip.daddr, sizeof(ip.daddr));
		facts->l4 = l3 + sizeof(ip);
	}
	return true;
}

static __always_inline bool read_icmp(struct __sk_buff *skb, struct facts *facts, bool is_out)
{
	bool is_four = facts->protocol == IPPROTO_ICMP;
	__u8 request = is_four ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST;
	__u8 reply = is_four ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	struct icmp icmp;

	if (is_four != (facts->family == FAMILY_4) || bpf_skb_load_bytes(skb, facts->l4, &icmp, sizeof(icmp)))
		return false;
	facts->check = facts->l4 + offsetof(struct icmp, check);
	facts->ports[is_out ? 0 : 1] = icmp.id;
	facts->is_error = !is_out && icmp.type == (is_four ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE);
	return facts->is_error || icmp.type == (is_out ? request : reply);
}

static __always_inline bool read_l4(struct __sk_buff *skb, struct facts *facts, bool is_out)
{
	__u8 flags;

	switch (facts->protocol) {
	case IPPROTO_TCP:
		if (bpf_skb_load_bytes(skb, facts->l4 + TCP_FLAGS, &flags, sizeof(flags)))
			return false;
		facts->is_begin = flags & TCP_SYN;
		facts->is_end = flags & TCP_FIN_RST;
		facts->check = facts->l4 + offsetof(struct tcphdr, check);
		break;
	case IPPROTO_UDP:
		facts->check = facts->l4 + offsetof(struct udphdr, check);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return read_icmp(skb, facts, is_out);
	default:
		return false;
	}
	return !bpf_skb_load_bytes(skb, facts->l4, facts->ports, sizeof(facts->ports));
}

static __always_inline bool read_packet(struct __sk_buff *skb, struct facts *facts, bool is_out)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		facts->family = FAMILY_4;
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		facts->family = FAMILY_6;
	else
		return false;
	return read_ip(skb, L3, facts) && read_l4(skb, facts, is_out);
}

/* -- translating -- */

static __always_inline __u32 ports_of_probe(const struct facts *facts, bool is_out)
{
	return is_icmp(facts) ? facts->l4 + offsetof(struct icmp, id) : facts->l4 + (is_out ? 0 : 2);
}

/* Addresses in the header at `l3`, of which a family's own checksum is corrected too. */
static __always_inline long store_addresses(struct __sk_buff *skb, __u32 l3, enum family family,
					    const struct address *source, const struct address *target, __s64 added)
{
	if (family == FAMILY_4)
		return bpf_l3_csum_replace(skb, l3 + offsetof(struct iphdr, check), 0, added, 0) ||
		       bpf_skb_store_bytes(skb, l3 + offsetof(struct iphdr, saddr), source, 4, 0) ||
		       bpf_skb_store_bytes(skb, l3 + offsetof(struct iphdr, daddr), target, 4, 0);
	return bpf_skb_store_bytes(skb, l3 + offsetof(struct ipv6hdr, saddr), source, 16, 0) ||
	       bpf_skb_store_bytes(skb, l3 + offsetof(struct ipv6hdr, daddr), target, 16, 0);
}

static __always_inline __s64 added_by(const struct facts *facts, const struct address *source,
				      const struct address *target)
{
	__s64 added = bpf_csum_diff((__be32 *)&facts->source, 16, (__be32 *)source, 16, 0);

	return bpf_csum_diff((__be32 *)&facts->target, 16, (__be32 *)target, 16, added);
}

/* See correct_addresses() of forward_tc.h. */
static __always_inline long correct_pseudo(struct __sk_buff *skb, const struct facts *facts, __s64 added, __u64 flags)
{
	flags |= BPF_F_PSEUDO_HDR;
	if (facts->family == FAMILY_6 && !bpf_l4_csum_replace(skb, facts->check, 0, added, flags | BPF_F_IPV6))
		return 0;
	return bpf_l4_csum_replace(skb, facts->check, 0, added, flags);
}

/* Addresses, and the port that is ours. */
static __always_inline long translate(struct __sk_buff *skb, const struct facts *facts, const struct address *source,
				      const struct address *target, __be16 old_port, __be16 new_port, bool is_out)
{
	__u64 flags = facts->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__s64 added = added_by(facts, source, target);

	if (facts->protocol != IPPROTO_ICMP && correct_pseudo(skb, facts, added, flags))
		return -1;
	return bpf_l4_csum_replace(skb, facts->check, old_port, new_port, flags | sizeof(new_port)) ||
	       bpf_skb_store_bytes(skb, ports_of_probe(facts, is_out), &new_port, sizeof(new_port), 0) ||
	       store_addresses(skb, L3, facts->family, source, target, added);
}

/* -- out -- */

/* As if the packet came from lo, whose forwarding the director turns on: works with ip_forward=0. */
static __always_inline bool find_way(struct __sk_buff *skb, enum family family, const struct address *to,
				     struct way *way)
{
	struct bpf_fib_lookup fib = {.ifindex = LOOPBACK};

	if (family == FAMILY_4) {
		fib.family = AF_INET;
		fib.ipv4_dst = to->word[0];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_dst, to, sizeof(*to));
	}
	if (bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_SRC | BPF_FIB_LOOKUP_SKIP_NEIGH))
		return false;
	way->ifindex = fib.ifindex;
	if (family == FAMILY_4) {
		way->gateway.word[0] = fib.ipv4_dst;
		way->source.word[0] = fib.ipv4_src;
	} else {
		__builtin_memcpy(&way->gateway, fib.ipv6_dst, sizeof(way->gateway));
		__builtin_memcpy(&way->source, fib.ipv6_src, sizeof(way->source));
	}
	return true;
}

static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash ^= word;
	hash *= 0x9e3779b1;
	return hash ^ hash >> 15;
}

static __always_inline bool is_same(const struct probe_flow *flow, const struct address *probe, __be16 port)
{
	return flow->port == port && flow->probe.word[0] == probe->word[0] && flow->probe.word[1] == probe->word[1] &&
	       flow->probe.word[2] == probe->word[2] && flow->probe.word[3] == probe->word[3];
}

/* The port that this flow has, or gets. Two probes to one VIP may have the same one before: they go to different probe addresses. */
static __always_inline bool take_port(const struct facts *facts, struct probe_key *key)
{
	struct probe_flow new = {.probe = facts->target, .port = facts->ports[0], .seen_ns = bpf_ktime_get_ns()};
	__u32 hash = mix(mix(facts->ports[0], facts->target.word[0]), facts->target.word[3]), i;

	for (i = 0; i < ATTEMPTS; i++) {
		struct probe_flow *flow;

		key->port = bpf_htons(PORT_LOW + (hash + i) % PORTS);
		flow = bpf_map_lookup_elem(&probe_flows, key);
		if (!flow && !bpf_map_update_elem(&probe_flows, key, &new, BPF_NOEXIST))
			return true;
		if (!flow)
			flow = bpf_map_lookup_elem(&probe_flows, key);
		if (flow && is_same(flow, &facts->target, facts->ports[0])) {
			flow->seen_ns = new.seen_ns;
			flow->has_ended = (flow->has_ended && !facts->is_begin) || facts->is_end;
			return true;
		}
		if (flow && new.seen_ns - flow->seen_ns > (flow->has_ended ? IDLE_ENDED_NS : IDLE_NS))
			return !bpf_map_update_elem(&probe_flows, key, &new, BPF_ANY);
	}
	return false;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

struct outer {
	union {
		struct iphdr four;
		struct ipv6hdr six;
	};
};

/* What stands between the outer IP header and the packet. */
struct within {
	__be32 words[3];
};

static __always_inline __u32 make_within(const struct probe_path *path, const struct probe_key *key, __u32 length,
					 struct within *within, __u8 *protocol)
{
	bool is_four = path->family == FAMILY_4;

	if (path->tunnel == TUNNEL_GRE) {
		*protocol = IPPROTO_GRE;
		within->words[0] = bpf_htonl(is_four ? ETH_P_IP : ETH_P_IPV6);
		return 4;
	}
	*protocol = is_four ? IPPROTO_IPIP : IPPROTO_IPV6;
	if (path->tunnel != TUNNEL_GUE)
		return 0;
	within->words[0] = (__u32)key->port | (__u32)path->tunnel_port << 16;
	within->words[1] = bpf_htons(length + sizeof(*within)); /* without a checksum */
	within->words[2] = *protocol << 8;
	*protocol = IPPROTO_UDP;
	return sizeof(*within);
}

static __always_inline void make_four(struct iphdr *ip, const struct probe_path *path, const struct way *way,
				      __u32 length, __u8 protocol)
{
	__u64 sum = 0;

	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = bpf_htons(length + sizeof(*ip));
	ip->frag_off = bpf_htons(DONT_FRAGMENT);
	ip->ttl = TTL;
	ip->protocol = protocol;
	ip->saddr = way->source.word[0];
	ip->daddr = path->rip.word[0];
	for (int i = 0; i < 5; i++)
		sum += ((__u32 *)ip)[i];
	ip->check = ~fold(sum);
}

static __always_inline void make_six(struct ipv6hdr *ip, const struct probe_path *path, const struct way *way,
				     __u32 length, __u8 protocol)
{
	ip->version = 6;
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = protocol;
	ip->hop_limit = TTL;
	__builtin_memcpy(&ip->saddr, &way->source, sizeof(way->source));
	__builtin_memcpy(&ip->daddr, &path->rip, sizeof(path->rip));
}

static __always_inline long wrap(struct __sk_buff *skb, const struct probe_path *path, const struct probe_key *key,
				 const struct way *way)
{
	bool is_four = path->way_family == FAMILY_4;
	__u32 length = skb->len - L3, header = is_four ? sizeof(struct iphdr) : sizeof(struct ipv6hdr), inside;
	__u64 flags =
		BPF_F_ADJ_ROOM_FIXED_GSO | (is_four ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
	__be16 type = bpf_htons(is_four ? ETH_P_IP : ETH_P_IPV6);
	struct within within = {};
	struct outer outer = {};
	__u8 protocol;

	inside = make_within(path, key, length, &within, &protocol);
	if (path->tunnel == TUNNEL_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	else if (path->tunnel == TUNNEL_GUE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (is_four)
		make_four(&outer.four, path, way, length + inside, protocol);
	else
		make_six(&outer.six, path, way, length + inside, protocol);
	if (bpf_skb_adjust_room(skb, header + inside, BPF_ADJ_ROOM_MAC, flags))
		return -1;
	if (is_four ? bpf_skb_store_bytes(skb, L3, &outer, sizeof(struct iphdr), 0)
		    : bpf_skb_store_bytes(skb, L3, &outer, sizeof(struct ipv6hdr), 0))
		return -1;
	if ((inside == 4 && bpf_skb_store_bytes(skb, L3 + header, &within, 4, 0)) ||
	    (inside == sizeof(within) && bpf_skb_store_bytes(skb, L3 + header, &within, sizeof(within), 0)))
		return -1;
	return path->family == path->way_family
		       ? 0
		       : bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0);
}

static __always_inline int send_by(const struct probe_path *path, const struct way *way)
{
	struct bpf_redir_neigh neighbour = {};

	if (path->way_family == FAMILY_4) {
		neighbour.nh_family = AF_INET;
		neighbour.ipv4_nh = way->gateway.word[0];
	} else {
		neighbour.nh_family = AF_INET6;
		__builtin_memcpy(neighbour.ipv6_nh, &way->gateway, sizeof(way->gateway));
	}
	return bpf_redirect_neigh(way->ifindex, &neighbour, sizeof(neighbour), 0);
}

/* Nothing but probes comes here: what is not understood goes nowhere. */
SEC("tc")
int probe_out(struct __sk_buff *skb)
{
	struct facts facts = {};
	struct probe_path *path;
	struct probe_key key = {};
	struct way way = {};

	if (!read_packet(skb, &facts, true))
		return TC_ACT_SHOT;
	path = bpf_map_lookup_elem(&probe_paths, &facts.target);
	if (!path || path->family != facts.family || !find_way(skb, path->way_family, &path->rip, &way))
		return TC_ACT_SHOT;
	key.vip = path->vip;
	key.source = is_none(&path->source) ? way.source : path->source;
	key.vport = facts.ports[1];
	key.protocol = facts.protocol;
	if (!take_port(&facts, &key) || translate(skb, &facts, &key.source, &key.vip, facts.ports[0], key.port, true))
		return TC_ACT_SHOT;
	if (path->method == METHOD_TUNNEL && wrap(skb, path, &key, &way))
		return TC_ACT_SHOT;
	skb->tc_index = OWN_WALKED;
	return send_by(path, &way);
}

/* -- in -- */

static __always_inline bool may_be_answer(__be16 port)
{
	return (bpf_ntohs(port) & ~(PORTS - 1)) == PORT_LOW;
}

/*
 * What an ICMP error quotes begins as the probe did when it left. Addresses and header checksum of an IPv4 packet change together,
 * so nothing but the port changes the sum over them.
 */
static __always_inline long translate_error(struct __sk_buff *skb, const struct facts *facts,
					    const struct facts *quoted, const struct probe_flow *flow,
					    const struct address *own)
{
	__u32 quote = facts->l4 + sizeof(struct icmp);
	__s64 outer = added_by(facts, &flow->probe, own), inner = added_by(quoted, own, &flow->probe);

	if (facts->family == FAMILY_6 &&
	    (correct_pseudo(skb, facts, outer, 0) || bpf_l4_csum_replace(skb, facts->check, 0, inner, 0)))
		return -1;
	return bpf_l4_csum_replace(skb, facts->check, quoted->ports[0], flow->port, sizeof(flow->port)) ||
	       bpf_skb_store_bytes(skb, quoted->l4, &flow->port, sizeof(flow->port), 0) ||
	       store_addresses(skb, quote, facts->family, own, &flow->probe, inner) ||
	       store_addresses(skb, L3, facts->family, &flow->probe, own, outer);
}

static __always_inline bool read_quoted(struct __sk_buff *skb, const struct facts *facts, struct facts *quoted)
{
	quoted->family = facts->family;
	return read_ip(skb, facts->l4 + sizeof(struct icmp), quoted) &&
	       (quoted->protocol == IPPROTO_TCP || quoted->protocol == IPPROTO_UDP) &&
	       !bpf_skb_load_bytes(skb, quoted->l4, quoted->ports, sizeof(quoted->ports));
}

/* As if it had come by the interface that probe addresses are behind. */
static __always_inline int let_in(struct __sk_buff *skb, const struct probe_entry *entry)
{
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_dest), entry->mac, sizeof(entry->mac), 0))
		return TC_ACT_SHOT;
	return bpf_redirect(entry->ifindex, BPF_F_INGRESS);
}

/* A function of its own, so that what is no answer passes quickly. */
__noinline int take_answer(struct __sk_buff *skb)
{
	struct facts facts = {}, quoted = {};
	struct probe_entry *entry;
	struct probe_flow *flow;
	struct probe_key key = {};
	const struct address *own;
	__u32 zero = 0;
	long failed;

	if (!read_packet(skb, &facts, false) || (facts.is_error && !read_quoted(skb, &facts, &quoted)))
		return TC_ACT_UNSPEC;
	if (facts.is_error) {
		key.vip = quoted.target;
		key.source = quoted.source;
		key.vport = quoted.ports[1];
		key.port = quoted.ports[0];
		key.protocol = quoted.protocol;
	} else {
		key.vip = facts.source;
		key.source = facts.target;
		key.vport = facts.ports[0];
		key.port = facts.ports[1];
		key.protocol = facts.protocol;
	}
	flow = may_be_answer(key.port) ? bpf_map_lookup_elem(&probe_flows, &key) : NULL;
	entry = bpf_map_lookup_elem(&probe_entries, &zero);
	if (!flow || !entry)
		return TC_ACT_UNSPEC;
	own = facts.family == FAMILY_4 ? &entry->four : &entry->six;
	failed = facts.is_error ? translate_error(skb, &facts, &quoted, flow, own)
				: translate(skb, &facts, &flow->probe, own, key.port, flow->port, false);
	return failed ? TC_ACT_SHOT : let_in(skb, entry);
}

SEC("tc")
int probe_in(struct __sk_buff *skb)
{
	return take_answer(skb);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
