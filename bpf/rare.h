/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Parsing what is not just TCP or UDP behind IP's header: SCTP, the ESP and AH of a key exchange, fragments, IPv4's options and
 * IPv6's extension headers. In functions of their own, so that other packets don't pay for it, nor the verifier for each way of getting there.
 */
#pragma once

#include "fragment.h"
#include "ike.h"
#include "options.h"
#include "parse.h"
#include "sctp.h"

#define SIX_MORE_FRAGMENTS 1
#define SIX_OFFSET 0xfff8

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* the lowest bit: more fragments */
	__be32 id;
};

static __always_inline __u8 fragment_bits(bool has_offset, bool has_more)
{
	return has_offset ? RARE_LATER_FRAGMENT | RARE_PORTLESS : has_more ? RARE_FIRST_FRAGMENT : 0;
}

/* IP's header into facts. Returns its length in bytes, with all extensions; 0: it is the kernel's own. */
static __always_inline __u32 read_four(void *ctx, bool is_xdp_context, __u32 l3, struct packet *packet, __u32 *id)
{
	enum options options = OPTIONS_FORWARDABLE;
	__u32 fragment;
	struct iphdr ip;

	if (load_bytes(ctx, is_xdp_context, l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return 0;
	if (ip.ihl > 5)
		options = options_of(ctx, is_xdp_context, FAMILY_4, l3 + sizeof(ip), ip.ihl * 4 - sizeof(ip));
	if (options == OPTIONS_NOT_FORWARDABLE)
		return 0;
	fragment = bpf_ntohs(ip.frag_off);
	packet->protocol = ip.protocol;
	packet->length = bpf_ntohs(ip.tot_len);
	/* And daddr. The packet before may have been of IPv6. */
	packet->addresses = (struct addresses){.word = {*(__u64 *)&ip.saddr}};
	packet->ttl = ip.ttl;
	packet->tos = ip.tos;
	packet->dont_fragment = !!(fragment & IP_DONT_FRAGMENT);
	packet->rare = fragment_bits(fragment & IP_OFFSET, fragment & IP_FRAGMENT);
	if (options == OPTIONS_TELLING && ip.protocol == IPPROTO_UDP)
		packet->rare |= RARE_TELLING;
	*id = ip.id;
	return ip.ihl * 4;
}

static __always_inline __u32 read_six(void *ctx, bool is_xdp_context, __u32 l3, struct packet *packet, __u32 *id)
{
	__u32 header = sizeof(struct ipv6hdr);
	struct fragment_header fragment;
	struct ipv6hdr ip;

	if (load_bytes(ctx, is_xdp_context, l3, &ip, sizeof(ip)))
		return 0;
	packet->protocol = ip.nexthdr;
	packet->length = sizeof(ip) + bpf_ntohs(ip.payload_len);
	packet->ttl = ip.hop_limit;
	packet->tos = bpf_ntohl(*(__be32 *)&ip) >> 20;
	packet->dont_fragment = 1; /* only its sender fragments IPv6 */
	packet->rare = 0;
	__builtin_memcpy(&packet->addresses, &ip.saddr, sizeof(packet->addresses)); /* and daddr */
	for (int i = 0; i <= EXTENSIONS_MOST; i++) {
		__u8 next = packet->protocol;

		if (!is_extension(next) && next != IPPROTO_FRAGMENT)
			return header;
		if (load_bytes(ctx, is_xdp_context, l3 + header, &fragment, sizeof(fragment)))
			return 0;
		packet->protocol = fragment.next;
		if (next == IPPROTO_FRAGMENT) {
			__u32 offset = bpf_ntohs(fragment.offset);

			packet->rare = fragment_bits(offset & SIX_OFFSET, offset & SIX_MORE_FRAGMENTS);
			*id = fragment.id;
			header += sizeof(fragment);
			if (packet->rare & RARE_LATER_FRAGMENT)
				return header;
			continue;
		}
		if (next == IPPROTO_ROUTING && ((__u8 *)&fragment)[3])
			return 0;
		if (next == IPPROTO_HOPOPTS &&
		    (i > 0 || options_of(ctx, is_xdp_context, FAMILY_6, l3 + header + 2, fragment.reserved * 8 + 6) ==
				      OPTIONS_NOT_FORWARDABLE))
			return 0;
		header += (fragment.reserved + 1) * 8; /* of the others, the length */
		if (header > HEADERS_SIX_MOST)
			return 0;
	}
	return 0;
}

/* ICMP errors, and no fragments of them, are for related.h; XDP leaves all to TC. */
static __always_inline enum verdict parse_icmp(void *ctx, enum hook hook, enum family family,
					       const struct packet *packet, __u32 offset)
{
	__u8 type;

	if (hook != HOOK_TC || packet->rare || load_bytes(ctx, false, offset, &type, sizeof(type)))
		return VERDICT_PASS;
	return is_icmp_error(family, type) ? VERDICT_RELATED : VERDICT_PASS;
}

/*
 * Ports, and what else stands in layer 4. Returns its header's length; 0: it is the kernel's own. `offset`: of it; `end`: of the
 * packet.
 */
static __always_inline __u32 read_transport(void *ctx, bool is_xdp_context, struct packet *packet, __u32 offset,
					    __u32 end)
{
	__u8 header[sizeof(struct tcphdr)];
	__u32 length;

	switch (packet->protocol) {
	case IPPROTO_TCP:
		if (offset + sizeof(struct tcphdr) > end ||
		    load_bytes(ctx, is_xdp_context, offset, header, sizeof(struct tcphdr)))
			return 0;
		packet->tcp_flags = header[13];
		length = (header[12] >> 4) * 4;
		break;
	case IPPROTO_UDP:
		length = sizeof(struct udphdr);
		if (offset + length > end || load_bytes(ctx, is_xdp_context, offset, header, sizeof(struct udphdr)))
			return 0;
		break;
	case IPPROTO_SCTP:
		length = sizeof(struct sctp_header);
		if (offset + length > end ||
		    load_bytes(ctx, is_xdp_context, offset, header, sizeof(struct sctp_header)))
			return 0;
		packet->sctp_event = read_sctp_event(ctx, is_xdp_context, offset + length, end);
		break;
	default:
		return 0;
	}
	packet->ports = *(__u32 *)header | (__u64)packet->protocol << 32;
	return length;
}

static __always_inline enum verdict parse_rare_at(void *ctx, enum hook hook, enum family family, struct packet *packet,
						  __u32 l3, __u32 end)
{
	bool is_xdp_context = hook != HOOK_TC;
	__u32 header, transport, id = 0;

	header = family == FAMILY_4 ? read_four(ctx, is_xdp_context, l3, packet, &id)
				    : read_six(ctx, is_xdp_context, l3, packet, &id);
	packet->segment = packet->length;
	packet->l4 = L3 + header;
	packet->tcp_flags = 0;
	if (hook == HOOK_TC && ((struct __sk_buff *)ctx)->gso_size)
		packet->length = end - l3; /* a packet beyond 64 kB has no length of its own */
	if (!header || packet->length <= header || l3 + packet->length > end)
		return VERDICT_PASS;

	if (packet->protocol == (family == FAMILY_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return parse_icmp(ctx, hook, family, packet, l3 + header);
	if (packet->protocol == IPPROTO_ESP || packet->protocol == IPPROTO_AH) {
		packet->ports = portless_ports(family, &packet->addresses, packet->protocol);
		packet->rare |= packet->ports == ike_ports() ? RARE_PORTLESS : RARE_PORTLESS | RARE_ALONE;
		return VERDICT_NEXT;
	}
	if (!(packet->rare & RARE_LATER_FRAGMENT)) {
		transport = read_transport(ctx, is_xdp_context, packet, l3 + header, l3 + packet->length);
		if (!transport)
			return VERDICT_PASS;
		if (hook == HOOK_TC && ((struct __sk_buff *)ctx)->gso_size)
			packet->segment = ((struct __sk_buff *)ctx)->gso_size + header + transport;
		if (!is_fragment(packet))
			return VERDICT_NEXT;
	}
	return follow_fragment(ctx, hook, family, packet, id);
}

static __always_inline int parse_rare_xdp_at(struct xdp_md *ctx, enum family family, __u32 hook)
{
	__u32 end = bpf_xdp_get_buff_len(ctx);
	struct packet *packet = rare_packet(hook);

	if (!packet)
		return VERDICT_PASS;
	return hook == HOOK_TRACE ? parse_rare_at(ctx, HOOK_TRACE, family, packet, L3, end)
				  : parse_rare_at(ctx, HOOK_XDP, family, packet, L3, end);
}

__noinline int parse_rare_xdp(struct xdp_md *ctx, __u32 hook)
{
	return parse_rare_xdp_at(ctx, FAMILY_4, hook);
}

__noinline int parse_rare_xdp_six(struct xdp_md *ctx, __u32 hook)
{
	return parse_rare_xdp_at(ctx, FAMILY_6, hook);
}

static __always_inline int parse_rare_tc_at(struct __sk_buff *skb, enum family family, __u32 l3)
{
	struct packet *packet = rare_packet(HOOK_TC);

	return packet ? parse_rare_at(skb, HOOK_TC, family, packet, l3, skb->len) : VERDICT_PASS;
}

__noinline int parse_rare_tc(struct __sk_buff *skb, __u32 l3)
{
	return parse_rare_tc_at(skb, FAMILY_4, l3);
}

__noinline int parse_rare_tc_six(struct __sk_buff *skb, __u32 l3)
{
	return parse_rare_tc_at(skb, FAMILY_6, l3);
}
