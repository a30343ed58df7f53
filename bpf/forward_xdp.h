/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* XDP: rewriting a frame and sending it on. Checksums are whole here: a frame has no device left to finish them. */
#pragma once

#include "account.h"
#include "checksum.h"
#include "open.h"

/* What IP in IP puts in front of a packet, in bytes. */
static __always_inline __u32 tunnel_header(enum family family)
{
	return family == FAMILY_4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

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
	__u32 oif = interface_of(l2);
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

static __always_inline __u32 l4_of(enum family family, const struct packet *packet)
{
	return packet->l4 & (family == FAMILY_4 ? L4_MASK >> 1 : L4_MASK);
}

/* Where IP's header is, and that it is there. */
static __always_inline void *ip_at(enum family family, void *start, void *end)
{
	void *ip = start + L3;

	return ip + (family == FAMILY_4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) > end ? NULL : ip;
}

/* One off the TTL or hop limit. */
static __always_inline void age(enum family family, void *ip)
{
	if (family == FAMILY_4)
		decrease_ttl(ip, 0);
	else
		((struct ipv6hdr *)ip)->hop_limit--;
}

/* The header's addresses become what the entry says, and it ages. */
static __always_inline void readdress(enum family family, void *at, const struct walk *walk)
{
	if (family == FAMILY_4) {
		struct iphdr *ip = at;

		write_word(&ip->saddr, walk->new_addresses.word[0]); /* and daddr */
		decrease_ttl(ip, walk->flow->address_difference);
	} else {
		const struct addresses *becomes = &walk->extension->new.addresses;
		struct ipv6hdr *ip = at;

		for (int i = 0; i < 4; i++)
			write_word((void *)&ip->saddr + i * sizeof(__u64), becomes->word[i]); /* and daddr */
		ip->hop_limit--;
	}
}

/* A function of its own, for the stack. */
__noinline int translate_sctp_xdp(struct xdp_md *ctx, __u32 l4, __u32 new_ports, __u32 length)
{
	struct sctp_header sctp;

	if (bpf_xdp_load_bytes(ctx, l4, &sctp, sizeof(sctp)))
		return -1;
	translate_sctp(&sctp, new_ports, length, false);
	return bpf_xdp_store_bytes(ctx, l4, &sctp, sizeof(sctp));
}

/* What has no Internet checksum in layer 4, or no layer 4 at all. */
static __always_inline enum verdict translate_rare_xdp(struct xdp_md *ctx, enum hook hook, enum family family,
						       const struct walk *walk)
{
	const struct packet *packet = &walk->packet;
	void *start, *ip;

	if (!is_sctp_translatable(packet, walk->new_ports))
		return drop(hook, REASON_FRAGMENTED_SCTP);
	if (!(packet->rare & RARE_PORTLESS) &&
	    translate_sctp_xdp(ctx, packet->l4, walk->new_ports, transport_length(packet)))
		return drop(hook, REASON_MALFORMED);
	start = packet_start(ctx, hook);
	ip = ip_at(family, start, packet_end(ctx, hook));
	if (!ip)
		return drop(hook, REASON_MALFORMED);
	readdress(family, ip, walk);
	return send_xdp(ctx, hook, start, read_mac(start), walk->way->l2);
}

/* masq and fullnat, both directions: addresses and ports become what the entry says. */
static __always_inline enum verdict translate_xdp(struct xdp_md *ctx, enum hook hook, enum family family,
						  const struct walk *walk)
{
	const struct packet *packet = &walk->packet;
	void *start = packet_start(ctx, hook), *end = packet_end(ctx, hook);
	void *ip = ip_at(family, start, end), *l4 = start + l4_of(family, packet);
	__u32 added;

	if (!walk->flow || !ip || (family == FAMILY_6 && !walk->extension))
		return drop(hook, REASON_MALFORMED);
	added = family == FAMILY_4
			? walk->flow->whole_difference
			: (__u32)walk->extension->new.address_difference + walk->extension->new.port_difference;
	if (!is_for_established(hook) && is_without_sum(packet))
		return translate_rare_xdp(ctx, hook, family, walk);
	if (packet->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > end)
			return drop(hook, REASON_MALFORMED);
		tcp->check = corrected(tcp->check, added);
	} else {
		struct udphdr *udp = l4;

		if ((void *)(udp + 1) > end)
			return drop(hook, REASON_MALFORMED);
		udp->check = corrected_udp(udp->check, added);
	}
	*(__u32 *)l4 = walk->new_ports;
	readdress(family, ip, walk);
	return send_xdp(ctx, hook, start, read_mac(start), walk->way->l2);
}

/* gate: only the MACs change, and the TTL. */
static __always_inline enum verdict route_xdp(struct xdp_md *ctx, enum hook hook, enum family family,
					      const struct walk *walk)
{
	void *start = packet_start(ctx, hook), *ip = ip_at(family, start, packet_end(ctx, hook));

	if (!ip)
		return drop(hook, REASON_MALFORMED);
	age(family, ip);
	return send_xdp(ctx, hook, start, read_mac(start), walk->way->l2);
}

static __always_inline __u32 inner_protocol(enum family family)
{
	return family == FAMILY_4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

/* As INET_ECN_encapsulate: congestion experienced is told outside as ECT(0), for the tunnel has not met any yet. */
static __always_inline __u8 outer_tos(__u8 tos)
{
	return tos - (tos & tos >> 1 & 1);
}

/*
 * The outer header as ip_vs_tunnel_xmit makes it: TTL, TOS and DF are the inner one's. Made in words, as it is summed.
 * `family`: the inner packet's. `inside`: bytes between this header and that packet.
 */
static __always_inline void make_outer_four(enum family family, __u32 *words, const struct walk *walk,
					    const struct address *rip, __u8 protocol, __u32 inside)
{
	const struct packet *packet = &walk->packet;
	__u32 length = packet->length + sizeof(struct iphdr) + inside, source = walk->way->source.word[0];
	__u32 first, second, third;

	/* The whole packet's, also where it will be cut: a receiver on the same machine trims to it. Beyond 64 kB there is none. */
	first = 0x45 | outer_tos(packet->tos) << 8 | (length > 0xffff ? 0 : bpf_htons(length)) << 16;
	/* An IPv6 packet has no DF that could be copied. */
	second = family == FAMILY_4 && packet->dont_fragment ? bpf_htons(IP_DONT_FRAGMENT) << 16
							     : bpf_get_prandom_u32() & 0xffff;
	third = (__u8)(packet->ttl - 1) | protocol << 8;
	third |= (__u32)(__u16)~fold((__u64)first + second + third + source + rip->word[0]) << 16;
	words[0] = first;
	words[1] = second;
	words[2] = third;
	words[3] = source;
	words[4] = rip->word[0];
}

/* As ip_vs_tunnel_xmit_v6: hop limit and traffic class are the inner one's, there is no flow label. */
static __always_inline void make_outer_six(__u32 *words, const struct walk *walk, const struct address *rip,
					   __u8 protocol, __u32 inside)
{
	const struct packet *packet = &walk->packet;
	__u32 length = packet->length + inside;

	words[0] = bpf_htonl(6U << 28 | (__u32)outer_tos(packet->tos) << 20);
	words[1] = (length > 0xffff ? 0 : bpf_htons(length)) | protocol << 16 | (__u32)(__u8)(packet->ttl - 1) << 24;
	for (int i = 0; i < 4; i++) {
		words[2 + i] = walk->way->source.word[i];
		words[6 + i] = rip->word[i];
	}
}

/* `outer`: the family of the way to the real server, which may be the other one. */
static __always_inline void make_outer_header(enum family family, enum family outer, void *at, const struct walk *walk,
					      const struct address *rip, __u8 protocol, __u32 inside)
{
	if (outer == FAMILY_4)
		make_outer_four(family, at, walk, rip, protocol, inside);
	else
		make_outer_six(at, walk, rip, protocol, inside);
}

static __always_inline __be16 ether_type(enum family family)
{
	return bpf_htons(family == FAMILY_4 ? ETH_P_IP : ETH_P_IPV6);
}

/* IP in IP of one family; the other tunnels are in wrap.h. */
static __always_inline enum verdict tunnel_xdp(struct xdp_md *ctx, enum hook hook, enum family family,
					       const struct walk *walk, const struct address *rip)
{
	__u32 header = tunnel_header(family);
	struct ethhdr *eth;
	__u64 received_at;
	void *inner;

	if (bpf_xdp_adjust_head(ctx, -(int)header))
		return drop(hook, REASON_ADJUST_FAILED);
	eth = packet_start(ctx, hook);
	inner = ip_at(family, (void *)eth + header, packet_end(ctx, hook));
	if (!inner)
		return drop(hook, REASON_MALFORMED);
	received_at = read_mac((void *)eth + header); /* where it was, before that becomes the outer header */
	eth->h_proto = ether_type(family);
	age(family, inner);
	make_outer_header(family, family, eth + 1, walk, rip, inner_protocol(family), 0);
	return send_xdp(ctx, hook, eth, received_at, walk->way->l2);
}
