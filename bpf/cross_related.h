/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ICMP errors about packets that fullnat takes to the other family: the message becomes the other family's, and so does what it
 * quotes (RFC 7915, 4.2 to 4.5 and 5.2 to 5.5). Its checksum is made anew, so it must have been right.
 */
#pragma once

#include "cross.h"
#include "related.h"
#include "unwrap.h"

#define ICMP_NET_UNREACH 0
#define ICMP_PROT_UNREACH 2
#define ICMP_NET_ANO 9
#define ICMP_HOST_ANO 10
#define ICMP_PKT_FILTERED 13
#define ICMP_PREC_CUTOFF 15
#define ICMP_PREC_VIOLATION 14

#define ICMP6_PARAMETER 4
#define ICMP6_NO_ROUTE 0
#define ICMP6_ADM_PROHIBITED 1
#define ICMP6_UNKNOWN_NEXT 1
#define NEXT_HEADER_AT 6

#define PATH_MTU_FEWEST 68

/* What stands behind a message's IP header. */
struct crossed_error {
	__u8 type;
	__u8 code;
	__u32 rest; /* MTU or pointer, as on the wire */
};

/* Both answer false for what the other family has no words for. */
static __always_inline bool cross_error_to_six(const struct icmp_error *error, struct crossed_error *to)
{
	__u32 mtu = bpf_ntohl(error->mtu) & 0xffff;

	to->rest = 0;
	to->code = error->code;
	if (error->type == ICMP_TIME_EXCEEDED) {
		to->type = ICMP6_TIME_EXCEEDED;
		return true;
	}
	if (error->type != ICMP_DEST_UNREACH)
		return false;
	to->type = ICMP6_DEST_UNREACH;
	switch (error->code) {
	case ICMP_FRAG_NEEDED:
		mtu += sizeof(struct ipv6hdr) - sizeof(struct iphdr);
		to->type = ICMP6_TOO_BIG;
		to->code = 0;
		to->rest = bpf_htonl(mtu < LEAST_MTU_SIX ? LEAST_MTU_SIX : mtu);
		return true;
	case ICMP_PROT_UNREACH:
		to->type = ICMP6_PARAMETER;
		to->code = ICMP6_UNKNOWN_NEXT;
		to->rest = bpf_htonl(NEXT_HEADER_AT);
		return true;
	case ICMP_PORT_UNREACH:
		to->code = ICMP6_PORT_UNREACH;
		return true;
	case ICMP_NET_ANO:
	case ICMP_HOST_ANO:
	case ICMP_PKT_FILTERED:
	case ICMP_PREC_CUTOFF:
		to->code = ICMP6_ADM_PROHIBITED;
		return true;
	case ICMP_PREC_VIOLATION:
		return false;
	default:
		to->code = ICMP6_NO_ROUTE;
		return error->code <= ICMP_PREC_CUTOFF;
	}
}

static __always_inline bool cross_error_to_four(const struct icmp_error *error, struct crossed_error *to)
{
	__u32 mtu = bpf_ntohl(error->mtu);

	to->rest = 0;
	to->type = ICMP_DEST_UNREACH;
	switch (error->type) {
	case ICMP6_DEST_UNREACH:
		to->code = error->code == ICMP6_ADM_PROHIBITED ? ICMP_HOST_ANO
			   : error->code == ICMP6_PORT_UNREACH ? ICMP_PORT_UNREACH
							       : ICMP_HOST_UNREACH;
		return error->code <= ICMP6_PORT_UNREACH;
	case ICMP6_TOO_BIG:
		mtu -= sizeof(struct ipv6hdr) - sizeof(struct iphdr);
		if (mtu < PATH_MTU_FEWEST || mtu > 0xffff)
			return false;
		to->code = ICMP_FRAG_NEEDED;
		to->rest = bpf_htonl(mtu);
		return true;
	case ICMP6_TIME_EXCEEDED:
		to->type = ICMP_TIME_EXCEEDED;
		to->code = error->code;
		return true;
	case ICMP6_PARAMETER:
		to->code = ICMP_PROT_UNREACH;
		return error->code == ICMP6_UNKNOWN_NEXT;
	default:
		return false;
	}
}

/* What is yet to be known of the quoted packet. */
struct quoted_header {
	__u32 length; /* of its layer 4, as it was sent */
	__u8 ttl;
};

/* The tags are off. */
static __always_inline bool read_quoted_header(struct __sk_buff *skb, enum family family, const struct quote *quote,
					       struct quoted_header *header)
{
	__u32 at = L3 + quote->offset, whole;

	if (family == FAMILY_4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
			return false;
		whole = bpf_ntohs(ip.tot_len);
		header->ttl = ip.ttl;
	} else {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
			return false;
		whole = sizeof(ip) + bpf_ntohs(ip.payload_len);
		header->ttl = ip.hop_limit;
	}
	header->length = whole - quote->header;
	return whole >= quote->header;
}

static __always_inline void make_crossed(enum family other, __u32 *words, const struct addresses *addresses,
					 __u32 length, __u8 tos, __u8 ttl, __u8 protocol)
{
	length += tunnel_header(other);
	if (other == FAMILY_4)
		make_crossed_four(words, addresses, length, tos, ttl, protocol, length > LEAST_MTU_SIX);
	else
		make_crossed_six(words, addresses, length, tos, ttl, protocol);
}

/* The message's own checksum; of ICMPv6 with the pseudo header. `words`: its IP header and what follows, to `count` words. */
static __always_inline __u16 sum_message(enum family other, const __u32 *words, __u32 count, __u32 payload_sum,
					 __u32 length)
{
	__u32 first = tunnel_header(other) / 4;
	__u64 sum = payload_sum;

	if (other == FAMILY_6) {
		sum += (__u64)bpf_htons(length) + bpf_htons(IPPROTO_ICMPV6);
		first = 2; /* the addresses */
	}
	for (__u32 i = first; i < count; i++)
		sum += words[i];
	return ~fold(sum);
}

/* Everything in front of the quoted packet's layer 4, in one piece. */
static __always_inline long write_message(struct __sk_buff *skb, enum family other, const struct walk *walk,
					  const struct quote *quote, const struct quoted_header *header,
					  const struct crossed_error *error, __u32 payload)
{
	__u32 one = tunnel_header(other), front = 2 * one + sizeof(struct icmp_error), length = front - one + payload;
	struct addresses quoted = swapped(other, &walk->new_addresses);
	struct parcel *parcel = parcel_of(HOOK_TC);
	int sum = sum_bytes(skb, L3 + front, payload);
	__u32 *words, *icmp;

	if (!parcel || sum < 0)
		return -1;
	words = parcel->chunk;
	icmp = words + one / 4;
	make_crossed(other, words, &walk->new_addresses, length, walk->packet.tos, walk->packet.ttl - 1,
		     other == FAMILY_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	icmp[0] = error->type | error->code << 8;
	icmp[1] = error->rest;
	make_crossed(other, icmp + 2, &quoted, header->length, quote->tos, header->ttl, quote->protocol);
	icmp[0] |= (__u32)sum_message(other, words, front / 4, sum, length) << 16;
	return bpf_skb_store_bytes(skb, L3, words, front, BPF_F_RECOMPUTE_CSUM);
}

static __always_inline enum verdict translate_message(struct __sk_buff *skb, enum family family, struct walk *walk,
						      struct message *message, const struct crossed_error *error)
{
	enum family other = other_family(family);
	__u32 most = other == FAMILY_4 ? QUOTE_MOST : QUOTE_SIX_MOST, new_front, payload;
	const struct quote *quote = &message->quote;
	__u32 front = quote->offset + quote->header, ports = swap_ports(walk->new_ports);
	struct quoted_header header = {};

	new_front = 2 * tunnel_header(other) + sizeof(struct icmp_error);
	payload = walk->packet.length - front;
	most -= tunnel_header(other); /* of which the quoted packet's header is a part */
	if (payload > most)
		payload = most;
	if (!take_tags_off(skb, &walk->packet) || !read_quoted_header(skb, family, quote, &header))
		return drop(HOOK_TC, REASON_MALFORMED);
	if (bpf_skb_change_tail(skb, L3 + front + payload, 0) ||
	    make_crossed_room(skb, family, (__s32)new_front - (__s32)front) ||
	    (quote->has_ports &&
	     bpf_skb_store_bytes(skb, L3 + new_front, &ports, sizeof(ports), BPF_F_RECOMPUTE_CSUM)) ||
	    write_message(skb, other, walk, quote, &header, error, payload))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	return send_tc(HOOK_TC, other, walk->way);
}

/* What walk_related() handed over. */
static __always_inline enum verdict cross_related(struct __sk_buff *skb, enum family family)
{
	enum family other = other_family(family);
	struct walk walk = {.way = way_of(HOOK_TC, NULL)};
	struct message *message = current_message();
	struct crossed_error error = {};
	struct destination *destination;
	enum reason reason;

	if (!message || !resume(HOOK_TC, family, &walk, parcel_of(HOOK_TC)))
		return VERDICT_DROP;
	destination = destination_at(walk.destination);
	if (!destination || !walk.extension)
		return VERDICT_DROP;
	if (!is_checksum_right(skb, family, message))
		return drop(HOOK_TC, REASON_MALFORMED);
	find_way(skb, HOOK_TC, other, &walk, destination);
	count_packet(walk.destination, walk.is_reply, walk.packet.length);
	if (!(other == FAMILY_4 ? cross_error_to_four(&message->error, &error)
				: cross_error_to_six(&message->error, &error)))
		return drop(HOOK_TC, REASON_NOT_TRANSLATABLE);
	reason = obstacle(HOOK_TC, &walk, crossing(family, other) * 2);
	if (reason != REASON_NONE)
		return drop(HOOK_TC, reason);
	return translate_message(skb, family, &walk, message, &error);
}
