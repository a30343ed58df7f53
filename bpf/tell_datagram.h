/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fullnat by UDP, of services with --uoa: until the real server answers, datagrams tell it who the client is, in an option of IPv4 or in
 * a header between IP and UDP. The walk hands them over to programs that put it in, translate and send. Others pay nothing.
 */
#pragma once

#include "tell.h"
#include "wrap.h"

#define IP_HEADER_WORDS_MOST 15
#define WHOLE_MOST \
	1280 /* what a router on the way is not expected to cut: nobody could take DPVS's header off the pieces */

static __always_inline bool is_untold_datagram(const struct walk *walk)
{
	const struct packet *packet = &walk->packet;

	return walk->method == METHOD_FULLNAT && !walk->is_reply && packet->protocol == IPPROTO_UDP &&
	       !(packet->rare & RARE_PORTLESS) && walk->flow &&
	       flow_state(READ_ONCE(walk->flow->control)) == STATE_UDP_UNTOLD;
}

static __always_inline enum verdict hand_datagram_over(enum hook hook, const struct walk *walk)
{
	return pack(hook, walk, false) ? VERDICT_TELL_DATAGRAM : VERDICT_DROP;
}

/* A client's own such option would be taken for the director's. */
static __always_inline bool is_forged(const struct walk *walk)
{
	return walk->packet.rare & RARE_TELLING && walk->method == METHOD_FULLNAT && !walk->is_reply;
}

/* -- the programs -- */

/* What is put in behind IP's header. */
struct telling {
	struct uoa_header header; /* of UOA_HEADER alone */
	struct told told;
};

static __always_inline __u32 telling_length(enum family family, __u32 uoa)
{
	return told_length(family) + (uoa == UOA_HEADER ? sizeof(struct uoa_header) : 0);
}

/* Nothing is fragmented for it, nor put into what is yet to be cut. DPVS's header has no place behind options or extensions. */
static __always_inline bool has_room(enum family family, const struct walk *walk, __u32 uoa)
{
	const struct packet *packet = &walk->packet;
	__u32 length = packet->length + telling_length(family, uoa), mtu = walk->way->mtu;

	if (is_fragment(packet) || packet->segment != packet->length || (mtu && length > mtu) || length > 0xffff)
		return false;
	if (uoa == UOA_HEADER)
		return packet->l4 == plain_l4(family) && (packet->dont_fragment || length <= WHOLE_MOST);
	return family == FAMILY_4 && packet->l4 - L3 + TOA_LENGTH_4 <= IP_HEADER_WORDS_MOST * 4;
}

static __always_inline void make_telling(enum family family, const struct packet *packet, __u32 uoa,
					 struct telling *telling)
{
	make_told(UOA_KIND, family, packet, &telling->told);
	telling->header.version = family == FAMILY_4 ? UOA_VERSION_4 : UOA_VERSION_6;
	telling->header.protocol = IPPROTO_UDP;
	telling->header.length = bpf_htons(telling_length(family, uoa));
}

/* Four bytes of IP's header that change; as they stand in it. */
static __always_inline void change_word(struct iphdr *ip, void *at, __u32 word)
{
	ip->check = corrected(ip->check, fold(difference(*(__u32 *)at, word)));
	*(__u32 *)at = word;
}

/* The header tells of what is behind it. */
static __always_inline void lengthen_four(struct iphdr *ip, __u32 uoa)
{
	__u16 length = bpf_htons(bpf_ntohs(ip->tot_len) + telling_length(FAMILY_4, uoa));
	__u8 first = *(__u8 *)ip + (uoa == UOA_OPTION ? TOA_LENGTH_4 / 4 : 0);

	change_word(ip, ip, first | ip->tos << 8 | (__u32)length << 16);
	if (uoa != UOA_HEADER)
		return;
	ip->check = corrected(ip->check, fold(difference(bpf_htons(IPPROTO_UDP), bpf_htons(UOA_PROTOCOL))));
	ip->protocol = UOA_PROTOCOL;
}

static __always_inline void sum_option(struct iphdr *ip, const struct told *told)
{
	const __u32 *words = (const void *)told;

	ip->check = corrected(ip->check, fold((__u64)words[0] + words[1]));
}

/* payload_len, nexthdr and hop_limit: one word of the header. */
static __always_inline __u32 lengthened_six(const struct ipv6hdr *ip)
{
	__u16 length = bpf_htons(bpf_ntohs(ip->payload_len) + telling_length(FAMILY_6, UOA_HEADER));

	return length | UOA_PROTOCOL << 16 | (__u32)ip->hop_limit << 24;
}

/* What stands before it moves to the front. */
static __always_inline long put_in_xdp(struct xdp_md *ctx, enum family family, const struct telling *telling, __u32 uoa)
{
	__u32 more = telling_length(family, uoa), headers = plain_l4(family);
	void *start, *end, *at;

	if (bpf_xdp_adjust_head(ctx, -(int)more))
		return -1;
	start = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (start + headers + more > end)
		return -1;
	for (__u32 i = 0; i < headers / 2; i++)
		((__u16 *)start)[i] = ((__u16 *)(start + more))[i];
	at = start + headers;
	if (uoa == UOA_HEADER) {
		*(struct uoa_header *)at = telling->header;
		at += sizeof(telling->header);
	}
	__builtin_memcpy(at, &telling->told, told_length(family));
	if (family == FAMILY_6) {
		*((__u32 *)(start + L3) + 1) = lengthened_six(start + L3);
		return 0;
	}
	lengthen_four(start + L3, uoa);
	if (uoa == UOA_OPTION)
		sum_option(start + L3, &telling->told);
	return 0;
}

/* Layer 4 stays where it is, so whoever is to make its checksum still knows where. */
static __always_inline long put_in_tc(struct __sk_buff *skb, enum family family, const struct telling *telling,
				      __u32 uoa)
{
	/* An IPv4 header's own checksum makes its sum 0, options included. */
	__u64 flags = uoa == UOA_HEADER ? BPF_F_RECOMPUTE_CSUM : 0;
	__u32 at = plain_l4(family), word;
	void *ip;

	if (bpf_skb_adjust_room(skb, telling_length(family, uoa), BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	if (uoa == UOA_HEADER) {
		if (bpf_skb_store_bytes(skb, at, &telling->header, sizeof(telling->header), flags))
			return -1;
		at += sizeof(telling->header);
	}
	if (bpf_skb_store_bytes(skb, at, &telling->told, told_length(family), flags))
		return -1;
	ip = ip_at(family, packet_start(skb, HOOK_TC), packet_end(skb, HOOK_TC));
	if (!ip)
		return -1;
	if (family == FAMILY_6) {
		word = lengthened_six(ip);
		return bpf_skb_store_bytes(skb, L3 + sizeof(word), &word, sizeof(word), BPF_F_RECOMPUTE_CSUM);
	}
	lengthen_four(ip, uoa);
	if (uoa == UOA_OPTION)
		sum_option(ip, &telling->told);
	return 0;
}

static __always_inline long put_in_as(void *ctx, enum hook hook, enum family family, const struct packet *packet,
				      __u32 uoa)
{
	struct telling telling = {};

	make_telling(family, packet, uoa, &telling);
	return is_xdp(hook) ? put_in_xdp(ctx, family, &telling, uoa) : put_in_tc(ctx, family, &telling, uoa);
}

static __always_inline long put_in(void *ctx, enum hook hook, enum family family, const struct packet *packet,
				   __u32 uoa)
{
	if (family == FAMILY_6 || uoa == UOA_HEADER)
		return put_in_as(ctx, hook, family, packet, UOA_HEADER);
	return put_in_as(ctx, hook, family, packet, UOA_OPTION);
}

/* What hand_datagram_over() left. */
static __always_inline enum verdict tell_datagram(void *ctx, enum hook hook, enum family family)
{
	struct way known;
	struct walk walk = {.way = way_of(hook, &known)};
	struct parcel *parcel = parcel_of(hook);
	struct destination *destination;
	__u32 uoa;

	if (!walk.way || !parcel)
		return VERDICT_DROP;
	walk.packet = parcel->packet;
	walk.slot = parcel->slot;
	walk.flow = flow_at(walk.slot);
	walk.now = parcel->now;
	destination = destination_at(parcel->destination);
	if (!walk.flow || !destination)
		return VERDICT_DROP;
	take_from(family, &walk, walk.flow);
	way_to_destination(ctx, hook, family, destination, walk.now, walk.way);
	if (is_xdp(hook) && (!is_addressed(hook, walk.way->l2) || walk.way->fib != NO_LOOKUP))
		return VERDICT_TC;
	note_seen(walk.flow, walk.now);
	count_packet(walk.destination, false, walk.packet.length);
	if (hook == HOOK_TC && !take_tags_off(ctx, &walk.packet))
		return drop(hook, REASON_ADJUST_FAILED);
	uoa = READ_ONCE(destination->uoa);
	if (uoa && has_room(family, &walk, uoa)) {
		if (put_in(ctx, hook, family, &walk.packet, uoa))
			return drop(hook, REASON_ADJUST_FAILED);
		walk.packet.l4 += telling_length(family, uoa);
	} else if (uoa) {
		count_event(EVENT_CLIENT_UNTOLD);
	}
	return is_xdp(hook) ? translate_xdp(ctx, hook, family, &walk) : translate_tc(ctx, hook, family, &walk);
}
