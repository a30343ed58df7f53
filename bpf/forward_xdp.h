/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* XDP: rewriting a frame and sending it on. Checksums are whole here: a frame has no device left to finish them. */
#pragma once

#include "account.h"
#include "checksum.h"
#include "open.h"

#define TUNNEL_HEADER sizeof(struct iphdr)

/* In two words: a copy by bytes, which is what clang makes for packets, takes six loads and six stores. */
static __always_inline void write_mac(void *at, __u64 mac)
{
	*(__u32 *)at = mac;
	*(__u16 *)(at + 4) = mac >> 32;
}

static __always_inline __u64 read_mac(const void *at)
{
	return *(__u32 *)at | (__u64) * (__u16 *)(at + 4) << 32;
}

/* `received_at`: the MAC that the frame was sent to. It is the sender's now, if the frame leaves by the interface it came in by. */
static __always_inline enum verdict send_xdp(struct xdp_md *ctx, enum hook hook, struct ethhdr *eth, __u64 received_at,
					     __u64 l2)
{
	__u32 oif = l2 >> 48;
	__u64 *interface;

	write_mac(eth->h_dest, l2);
	if (oif == ctx->ingress_ifindex) {
		write_mac(eth->h_source, received_at);
		return VERDICT_SENT_BACK;
	}
	interface = bpf_map_lookup_elem(&interfaces, &oif);
	if (!interface)
		return drop(hook, REASON_REDIRECT_FAILED);
	write_mac(eth->h_source, *interface);
	if (bpf_redirect(oif, 0) != XDP_REDIRECT)
		return drop(hook, REASON_REDIRECT_FAILED);
	return VERDICT_SENT;
}

/* masq and fullnat, both directions: addresses and ports become what the entry says. */
static __always_inline enum verdict translate_xdp(struct xdp_md *ctx, enum hook hook, const struct walk *walk)
{
	const struct packet *packet = &walk->packet;
	const struct flow *flow = walk->flow;
	void *start = packet_start(ctx, hook), *end = packet_end(ctx, hook);
	struct iphdr *ip = start + L3;
	void *l4 = start + (packet->l4 & 0x7f);

	if (!flow || (void *)(ip + 1) > end)
		return drop(hook, REASON_MALFORMED);
	if (packet->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > end)
			return drop(hook, REASON_MALFORMED);
		tcp->check = corrected(tcp->check, flow->whole_difference);
	} else {
		struct udphdr *udp = l4;

		if ((void *)(udp + 1) > end)
			return drop(hook, REASON_MALFORMED);
		udp->check = corrected_udp(udp->check, flow->whole_difference);
	}
	*(__u32 *)l4 = walk->new_ports;
	*(__u64 *)&ip->saddr = walk->new_addresses; /* and daddr */
	decrease_ttl(ip, flow->address_difference);
	return send_xdp(ctx, hook, start, read_mac(start), walk->way.l2);
}

/* gate: only the MACs change, and the TTL. */
static __always_inline enum verdict route_xdp(struct xdp_md *ctx, enum hook hook, const struct walk *walk)
{
	void *start = packet_start(ctx, hook), *end = packet_end(ctx, hook);
	struct iphdr *ip = start + L3;

	if ((void *)(ip + 1) > end)
		return drop(hook, REASON_MALFORMED);
	decrease_ttl(ip, 0);
	return send_xdp(ctx, hook, start, read_mac(start), walk->way.l2);
}

/* The outer header as ip_vs_tunnel_xmit makes it: TTL, TOS and DF are the inner one's. Made in words, as it is summed. */
static __always_inline void make_tunnel_header(struct iphdr *outer, const struct walk *walk, __u32 rip)
{
	const struct packet *packet = &walk->packet;
	__u32 *words = (void *)outer, length = packet->length + TUNNEL_HEADER;
	__u32 first, second, third;

	/* The whole packet's, also where it will be cut: a receiver on the same machine trims to it. Beyond 64 kB there is none. */
	first = 0x45 | packet->tos << 8 | (length > 0xffff ? 0 : bpf_htons(length)) << 16;
	second = packet->dont_fragment ? bpf_htons(IP_DONT_FRAGMENT) << 16 : bpf_get_prandom_u32() & 0xffff;
	third = (__u8)(packet->ttl - 1) | IPPROTO_IPIP << 8;
	third |= (__u32)(__u16)~fold((__u64)first + second + third + walk->way.source + rip) << 16;
	words[0] = first;
	words[1] = second;
	words[2] = third;
	words[3] = walk->way.source;
	words[4] = rip;
}

static __always_inline enum verdict tunnel_xdp(struct xdp_md *ctx, enum hook hook, const struct walk *walk, __u32 rip)
{
	struct ethhdr *eth;
	struct iphdr *outer, *inner;
	__u64 received_at;

	if (bpf_xdp_adjust_head(ctx, -(int)TUNNEL_HEADER))
		return drop(hook, REASON_ADJUST_FAILED);
	eth = packet_start(ctx, hook);
	outer = (void *)(eth + 1);
	inner = outer + 1;
	if ((void *)(inner + 1) > packet_end(ctx, hook))
		return drop(hook, REASON_MALFORMED);
	received_at = read_mac((void *)eth + TUNNEL_HEADER); /* where it was, before that becomes the outer header */
	eth->h_proto = bpf_htons(ETH_P_IP);
	decrease_ttl(inner, 0);
	make_tunnel_header(outer, walk, rip);
	return send_xdp(ctx, hook, eth, received_at, walk->way.l2);
}
