/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From bytes to the facts that the walk needs. Whatever is not of a protocol that IPVS knows, addressed to this machine and
 * whole, is the kernel's own: PASS, never a guess. TCP and UDP are here, the others and fragments in rare.h.
 */
#pragma once

#include "chunk.h"
#include "maps.h"
#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

/* The programs that are made of the one walk. Each leaves what it can't finish, untouched, to the next. */
enum hook {
	HOOK_XDP,
	HOOK_TC,
	HOOK_TRACE, /* an XDP program that changes nothing and says what it would do */
	HOOK_ESTABLISHED = 4, /* a bit: packets amid a connection, and nothing that is rare */
	HOOK_XDP_ESTABLISHED = HOOK_ESTABLISHED | HOOK_XDP,
	HOOK_TC_ESTABLISHED = HOOK_ESTABLISHED | HOOK_TC,
};

/* Each in one comparison: of two with an "or" between them clang makes, for BPF, something that it does not see is constant. */
static __always_inline bool is_xdp(enum hook hook)
{
	return (hook & ~HOOK_ESTABLISHED) == HOOK_XDP;
}

static __always_inline bool is_tc(enum hook hook)
{
	return (hook & ~HOOK_ESTABLISHED) == HOOK_TC;
}

static __always_inline bool is_for_established(enum hook hook)
{
	return hook & HOOK_ESTABLISHED;
}

#define IP_DONT_FRAGMENT 0x4000
#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define IP_OFFSET 0x1fff
#define IKE_PORT 500

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define L3 ETH_HLEN /* where IP starts once tags are off: XDP leaves tagged frames to TC, TC takes tags off first */
#define L4_MASK 0xff /* of the offset where the transport's header starts */

/* Beyond either the packet is the kernel's own. */
#define EXTENSIONS_MOST 6
#define HEADERS_SIX_MOST (sizeof(struct ipv6hdr) + 160) /* all IPv6 headers, in bytes */

enum rare {
	RARE_FIRST_FRAGMENT = 1,
	RARE_LATER_FRAGMENT = 2,
	RARE_PORTLESS = 4, /* no ports of its own to translate, and it opens no connection: a later fragment, ESP, AH */
	RARE_ALONE = 8, /* ESP or AH that follows no key exchange: a mark's service may schedule it */
	RARE_TELLING = 16, /* a datagram with the option by which a director tells a real server the client */
};

/* One packet's facts. Addresses and ports are as on the wire. */
struct packet {
	struct addresses addresses;
	__u64 ports;
	__u32 length; /* of IP, in bytes */
	__u32 segment; /* the largest IP packet that leaves: `length`, or less where the device will segment */
	__u16 l4; /* offset of the TCP, UDP or SCTP header */
	__u8 protocol;
	union {
		__u8 tcp_flags;
		__u8 sctp_event; /* enum sctp_event */
	};
	__u8 rare; /* enum rare; 0 of most packets */
	__u8 ttl;
	__u8 tos;
	__u8 dont_fragment;
	__u8 tagged; /* VLAN tags must come off before it is sent */
};

static __always_inline bool is_fragment(const struct packet *packet)
{
	return packet->rare & (RARE_FIRST_FRAGMENT | RARE_LATER_FRAGMENT);
}

static __always_inline void *packet_start(void *ctx, enum hook hook)
{
	if (is_tc(hook))
		return (void *)(long)((struct __sk_buff *)ctx)->data;
	return (void *)(long)((struct xdp_md *)ctx)->data;
}

static __always_inline void *packet_end(void *ctx, enum hook hook)
{
	if (is_tc(hook))
		return (void *)(long)((struct __sk_buff *)ctx)->data_end;
	return (void *)(long)((struct xdp_md *)ctx)->data_end;
}

/*
 * A promiscuous interface also brings frames for other machines, which must not be forwarded twice. TC has the kernel's
 * word on that; XDP compares with the interface's MAC.
 */
static __always_inline bool is_for_us(void *ctx, enum hook hook, const struct ethhdr *eth)
{
	__u32 ifindex;
	__u64 *mac;

	if (hook == HOOK_TRACE)
		return true;
	if (is_tc(hook))
		return ((struct __sk_buff *)ctx)->pkt_type == 0; /* PACKET_HOST */
	ifindex = ((struct xdp_md *)ctx)->ingress_ifindex;
	mac = bpf_map_lookup_elem(&interfaces, &ifindex);
	return mac && ((*(__u64 *)eth ^ *mac) & MAC_MASK) == 0;
}

/* Made by the director's own stack? What came in by an interface says by which. */
static __always_inline bool is_made_here(const struct __sk_buff *skb)
{
	return skb->ingress_ifindex == 0;
}

/* What XDP leaves it leaves for a reason: such as that neighbours are to be probed. */
static __always_inline bool was_at_xdp(const struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	__u64 *interface = bpf_map_lookup_elem(&interfaces, &ifindex);

	return !interface || *interface & INTERFACE_XDP;
}

/* With a tag, and all that may stand between IP's header and TCP's. */
static __always_inline __u32 headers_most(enum family family)
{
	return L3 + 4 + (family == FAMILY_4 ? 60 : HEADERS_SIX_MOST) + sizeof(struct tcphdr);
}

/* Some drivers leave headers outside of a socket buffer's linear part, where programs can't read them. */
static __always_inline bool is_linear(const struct __sk_buff *skb, enum family family)
{
	__u32 linear = skb->data_end - skb->data;

	return linear >= headers_most(family) || linear >= skb->len;
}

static __always_inline bool make_linear(struct __sk_buff *skb, enum family family)
{
	__u32 most = headers_most(family);

	return is_linear(skb, family) || bpf_skb_pull_data(skb, skb->len < most ? skb->len : most) == 0;
}

/* AH and ESP belong to the connection of the key exchange that made them (ip_vs_proto_ah_esp.c). */
static __always_inline __u64 ike_ports(void)
{
	return bpf_htons(IKE_PORT) | (__u32)bpf_htons(IKE_PORT) << 16 | (__u64)IPPROTO_UDP << 32;
}

static __always_inline bool is_transport(__u8 next)
{
	return next == IPPROTO_TCP || next == IPPROTO_UDP;
}

/*
 * Two members of four bytes each, such as IP's addresses, by one load or store: the pointer says so by itself, for of one that is
 * taken of a member clang knows that it needs no more than that one's alignment, and makes two.
 */
static __always_inline __u64 read_word(const void *at)
{
	const __u64 *word = at;

	return *word;
}

static __always_inline void write_word(void *at, __u64 value)
{
	__u64 *word = at;

	*word = value;
}

/* The header at `ip` into facts; answers its length, in bytes. RARE: the packet is for rare.h. */
static __always_inline enum verdict parse_four(void *at, void *end, struct packet *packet, __u32 *header)
{
	struct iphdr *ip = at;

	if ((void *)(ip + 1) > end)
		return VERDICT_PASS;
	if (*(__u8 *)ip != 0x45) /* version 4, and no options */
		return VERDICT_RARE;
	*header = sizeof(*ip);
	if (ip->frag_off & bpf_htons(IP_FRAGMENT) || !is_transport(ip->protocol))
		return VERDICT_RARE;
	packet->protocol = ip->protocol;
	packet->length = bpf_ntohs(ip->tot_len);
	packet->addresses.word[0] = read_word(&ip->saddr); /* and daddr */
	packet->ttl = ip->ttl;
	packet->tos = ip->tos;
	packet->dont_fragment = !!(ip->frag_off & bpf_htons(IP_DONT_FRAGMENT));
	return VERDICT_NEXT;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
}

/* The messages that IPVS takes: of ICMP unreachable, source quench and time exceeded; of ICMPv6 all errors. */
static __always_inline bool is_icmp_error(enum family family, __u8 type)
{
	return family == FAMILY_4 ? type == 3 || type == 4 || type == 11 : type < 128;
}

static __always_inline enum verdict parse_six(void *at, void *end, struct packet *packet, __u32 *header)
{
	struct ipv6hdr *ip = at;
	__u32 first;

	if ((void *)(ip + 1) > end)
		return VERDICT_PASS;
	first = bpf_ntohl(*(__be32 *)ip);
	if (first >> 28 != 6)
		return VERDICT_PASS;
	packet->tos = first >> 20;
	packet->ttl = ip->hop_limit;
	packet->dont_fragment = 1; /* only its sender fragments IPv6 */
	packet->length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	for (int i = 0; i < 4; i++)
		packet->addresses.word[i] = read_word((void *)&ip->saddr + i * sizeof(__u64)); /* and daddr */
	packet->protocol = ip->nexthdr;
	*header = sizeof(*ip);
	return is_transport(packet->protocol) ? VERDICT_NEXT : VERDICT_RARE;
}

/*
 * In rare.h: all that parse() leaves. `l3`: where IP starts. The facts come by a map, for the stack; one for each hook: a trace
 * runs in a process, and packets may come between.
 */
int parse_rare_xdp(struct xdp_md *ctx, __u32 hook);
int parse_rare_tc(struct __sk_buff *skb, __u32 l3);
int parse_rare_xdp_six(struct xdp_md *ctx, __u32 hook);
int parse_rare_tc_six(struct __sk_buff *skb, __u32 l3);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct packet);
} rare_packets SEC(".maps");

static __always_inline struct packet *rare_packet(__u32 hook)
{
	return bpf_map_lookup_elem(&rare_packets, &hook);
}

static __always_inline enum verdict parse_rare(void *ctx, enum hook hook, enum family family, struct packet *packet,
					       __u32 l3)
{
	__u8 tagged = packet->tagged;
	enum verdict verdict;
	struct packet *found;

	if (is_for_established(hook))
		return VERDICT_WALK;
	if (hook == HOOK_TC)
		verdict = family == FAMILY_4 ? parse_rare_tc(ctx, l3) : parse_rare_tc_six(ctx, l3);
	else
		verdict = family == FAMILY_4 ? parse_rare_xdp(ctx, hook) : parse_rare_xdp_six(ctx, hook);
	found = rare_packet(hook);
	if (!found)
		return VERDICT_PASS;
	*packet = *found;
	packet->tagged = tagged;
	/* What the compiler knows needs no place. */
	if (family == FAMILY_6)
		packet->dont_fragment = 1;
	if (hook != HOOK_TC)
		packet->segment = packet->length;
	return verdict;
}

static __always_inline enum verdict parse(void *ctx, enum hook hook, enum family family, struct packet *packet)
{
	void *start = packet_start(ctx, hook), *end = packet_end(ctx, hook);
	__u32 l3 = L3, header = 0, least = sizeof(struct udphdr), transport = sizeof(struct udphdr);
	enum verdict verdict;
	__be16 type;
	void *l4;

	if (start + L3 + sizeof(struct iphdr) > end)
		return VERDICT_PASS;
	type = *(__be16 *)(start + offsetof(struct ethhdr, h_proto));
	/* The walk of that family asks for the rest again. */
	if (family == FAMILY_4 && type == bpf_htons(ETH_P_IPV6))
		return VERDICT_SIX;
	if (!is_for_us(ctx, hook, start))
		return VERDICT_PASS;
	packet->tagged = 0;
	if (hook == HOOK_TC_ESTABLISHED && ((struct __sk_buff *)ctx)->vlan_present)
		return VERDICT_WALK;
	if (hook == HOOK_TC) {
		packet->tagged = ((struct __sk_buff *)ctx)->vlan_present;
		if (type == bpf_htons(ETH_P_8021Q)) { /* the inner tag of two: the kernel took the outer one off */
			l3 = L3 + 4;
			type = *(__be16 *)(start + L3 + 2);
			packet->tagged = 1;
		}
	}
	/* XDP leaves tagged frames to TC, which can take tags off and put others on. */
	if (type != bpf_htons(family == FAMILY_4 ? ETH_P_IP : ETH_P_IPV6))
		return family == FAMILY_4 && type == bpf_htons(ETH_P_IPV6)	       ? VERDICT_SIX
		       : hook == HOOK_TC_ESTABLISHED && type == bpf_htons(ETH_P_8021Q) ? VERDICT_WALK
										       : VERDICT_PASS;

	verdict = family == FAMILY_4 ? parse_four(start + l3, end, packet, &header)
				     : parse_six(start + l3, end, packet, &header);
	if (verdict == VERDICT_RARE)
		return parse_rare(ctx, hook, family, packet, l3);
	if (verdict != VERDICT_NEXT)
		return verdict;
	packet->l4 = L3 + header;
	l4 = start + l3 + header;
	if (packet->protocol == IPPROTO_TCP) {
		if (l4 + sizeof(struct tcphdr) > end)
			return VERDICT_PASS;
		packet->tcp_flags = ((__u8 *)l4)[13];
		transport = (((__u8 *)l4)[12] >> 4) * 4;
		least = sizeof(struct tcphdr);
	} else {
		if (l4 + sizeof(struct udphdr) > end)
			return VERDICT_PASS;
		packet->tcp_flags = 0;
	}
	packet->ports = *(__u32 *)l4 | (__u64)packet->protocol << 32;

	packet->segment = packet->length;
	if (is_tc(hook)) {
		struct __sk_buff *skb = ctx;

		if (skb->gso_size) {
			packet->length = skb->len - l3; /* a packet beyond 64 kB has no length of its own */
			packet->segment = skb->gso_size + header + transport;
		} else if (packet->length + l3 > skb->len) {
			return VERDICT_PASS;
		}
	} else if (start + l3 + packet->length > end) {
		return VERDICT_PASS;
	}
	return packet->length < header + least ? VERDICT_PASS : VERDICT_NEXT;
}
