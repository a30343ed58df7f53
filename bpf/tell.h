/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fullnat by TCP: the packets of a client's handshake tell the real server who it is, by the TOA option. A program of its own puts
 * it into the packet as it came, and has the walk begin anew, which then finds it there. Established packets pay nothing. UDP is in
 * tell_datagram.h.
 */
#pragma once

#include "checksum.h"
#include "forward_tc.h"
#include "open.h"
#include "toa.h"

#define TCP_HEADER_MOST 60
#define DATA_OFFSET_STEP 4 /* in the header's 13th byte, of which the high half counts words of 4 bytes */

/* The option as it stands in a packet. */
struct told {
	struct toa toa;
	__be32 address[4];
};

static __always_inline __u32 told_length(enum family family)
{
	return family == FAMILY_4 ? TOA_LENGTH_4 : TOA_LENGTH_6;
}

static __always_inline __u32 plain_l4(enum family family)
{
	return L3 + (family == FAMILY_4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* A packet amid the handshake: the real server may not know the client yet. */
static __always_inline bool is_of_handshake(const struct walk *walk)
{
	const struct packet *packet = &walk->packet;

	return walk->method == METHOD_FULLNAT && !walk->is_reply && packet->protocol == IPPROTO_TCP && walk->flow &&
	       flow_state(READ_ONCE(walk->flow->control)) == STATE_SYN_RECV &&
	       !(packet->tcp_flags & (TCP_FIN | TCP_RST));
}

/* Does the option that stands first say the truth? */
static __always_inline bool is_true(enum family family, const struct packet *packet, const struct told *told)
{
	const struct addresses *addresses = &packet->addresses;

	if (told->toa.kind != TOA_KIND || told->toa.length != told_length(family) ||
	    told->toa.port != (__u16)packet->ports || told->address[0] != (__u32)addresses->word[0])
		return false;
	return family == FAMILY_4 ||
	       (told->address[1] == addresses->word[0] >> 32 && told->address[2] == (__u32)addresses->word[1] &&
		told->address[3] == addresses->word[1] >> 32);
}

/*
 * Is the option still to be put in? Where there is no room for it the real server takes the director for the client. A payload
 * would have to move: the packets of a handshake that have none are enough.
 */
static __always_inline bool is_to_be_told(void *ctx, bool is_xdp, enum family family, const struct packet *packet)
{
	__u32 l4 = plain_l4(family), length = told_length(family), header;
	struct told told = {};
	struct tcphdr tcp;

	if (packet->l4 != l4 || packet->rare || load_bytes(ctx, is_xdp, l4, &tcp, sizeof(tcp)))
		return false;
	header = tcp.doff * 4;
	if (header < sizeof(tcp) || packet->length != l4 - L3 + header)
		return false;
	if (header >= sizeof(tcp) + length && !load_bytes(ctx, is_xdp, l4 + sizeof(tcp), &told, length) &&
	    is_true(family, packet, &told))
		return false;
	if (header + length <= TCP_HEADER_MOST)
		return true;
	count_event(EVENT_CLIENT_UNTOLD);
	return false;
}

/* The facts come by a map, for the stack. */
__noinline int is_to_be_told_xdp(struct xdp_md *ctx, __u32 family)
{
	struct packet *packet = rare_packet(HOOK_XDP);

	if (!packet)
		return 0;
	return family == FAMILY_4 ? is_to_be_told(ctx, true, FAMILY_4, packet)
				  : is_to_be_told(ctx, true, FAMILY_6, packet);
}

__noinline int is_to_be_told_tc(struct __sk_buff *skb, __u32 family)
{
	struct packet *packet = rare_packet(HOOK_TC);

	if (!packet)
		return 0;
	return family == FAMILY_4 ? is_to_be_told(skb, false, FAMILY_4, packet)
				  : is_to_be_told(skb, false, FAMILY_6, packet);
}

/* Must the program that tells have this packet first? is_disowned() has seen it, and its facts are where they are looked for. */
static __always_inline bool tells_client(void *ctx, enum hook hook, enum family family, const struct walk *walk)
{
	if (is_for_established(hook) || !is_of_handshake(walk))
		return false;
	return hook == HOOK_TC ? is_to_be_told_tc(ctx, family) : is_to_be_told_xdp(ctx, family);
}

/* -- what a client says itself -- */

#define NOPS 0x01010101 /* four options of one byte that say nothing */

/* Real servers read the option where it stands first. */
static __always_inline bool may_name_itself(void *ctx, enum hook hook, enum family family, const struct packet *packet)
{
	void *options = packet_start(ctx, hook) + l4_of(family, packet) + sizeof(struct tcphdr);

	if (packet->protocol != IPPROTO_TCP)
		return false;
	if (options + 1 > packet_end(ctx, hook))
		return is_tc(hook) && !is_linear(ctx, family); /* who knows */
	return *(__u8 *)options == TOA_KIND;
}

static __always_inline long store_options(void *ctx, bool is_xdp, __u32 l4, const __u32 *options, __u32 length,
					  __u32 added)
{
	__u32 at = l4 + sizeof(struct tcphdr), check = l4 + offsetof(struct tcphdr, check);
	__u16 sum;

	if (!is_xdp)
		return bpf_skb_store_bytes(ctx, at, options, length, 0) || bpf_l4_csum_replace(ctx, check, 0, added, 0);
	if (bpf_xdp_store_bytes(ctx, at, (void *)options, length) || bpf_xdp_load_bytes(ctx, check, &sum, sizeof(sum)))
		return -1;
	sum = corrected(sum, added);
	return bpf_xdp_store_bytes(ctx, check, &sum, sizeof(sum));
}

/* An option of that length, or nothing, becomes options that say nothing. */
static __always_inline long blank(void *ctx, bool is_xdp, enum family family, const struct packet *packet, __u32 length)
{
	__u32 nops[TOA_LENGTH_6 / 4] = {NOPS, NOPS, NOPS, NOPS, NOPS};
	struct told told = {};
	__u64 added = 0;

	if (load_bytes(ctx, is_xdp, packet->l4 + sizeof(struct tcphdr), &told, length))
		return 0;
	if (length == told_length(family) && is_true(family, packet, &told))
		return 0;
	for (__u32 i = 0; i < length / 4; i++)
		added += difference(((const __u32 *)&told)[i], NOPS);
	return store_options(ctx, is_xdp, packet->l4, nops, length, fold(added));
}

/* What a client says of who it is: whoever believes directors must not hear it from one. Not 0: it could not be taken out. */
static __always_inline long disown(void *ctx, bool is_xdp, enum family family)
{
	const struct packet *packet = rare_packet(is_xdp ? HOOK_XDP : HOOK_TC);
	struct tcphdr tcp;
	struct toa toa;
	__u32 options;

	if (!packet || load_bytes(ctx, is_xdp, packet->l4, &tcp, sizeof(tcp)) ||
	    load_bytes(ctx, is_xdp, packet->l4 + sizeof(tcp), &toa, sizeof(toa)) || toa.kind != TOA_KIND)
		return 0;
	options = tcp.doff * 4 - sizeof(tcp);
	/* Of either family: a real server may be of the other. */
	if (toa.length == TOA_LENGTH_4 && options >= TOA_LENGTH_4)
		return blank(ctx, is_xdp, family, packet, TOA_LENGTH_4);
	if (toa.length == TOA_LENGTH_6 && options >= TOA_LENGTH_6)
		return blank(ctx, is_xdp, family, packet, TOA_LENGTH_6);
	return 0;
}

__noinline int disown_xdp(struct xdp_md *ctx, __u32 family)
{
	return family == FAMILY_4 ? disown(ctx, true, FAMILY_4) : disown(ctx, true, FAMILY_6);
}

__noinline int disown_tc(struct __sk_buff *skb, __u32 family)
{
	return family == FAMILY_4 ? disown(skb, false, FAMILY_4) : disown(skb, false, FAMILY_6);
}

/* False: this packet must not go on. */
static __always_inline bool is_disowned(void *ctx, enum hook hook, enum family family, struct walk *walk)
{
	struct packet *packet;

	if (walk->is_reply || (walk->method != METHOD_FULLNAT && walk->method != METHOD_CROSS) ||
	    walk->packet.protocol != IPPROTO_TCP || walk->packet.rare & RARE_PORTLESS || hook == HOOK_TRACE)
		return true;
	packet = rare_packet(hook);
	if (!packet || (hook == HOOK_TC && !take_tags_off(ctx, &walk->packet)))
		return false;
	*packet = walk->packet;
	return !(hook == HOOK_TC ? disown_tc(ctx, family) : disown_xdp(ctx, family));
}

/* -- the program -- */

static __always_inline void make_told(__u8 kind, enum family family, const struct packet *packet, struct told *told)
{
	const struct addresses *addresses = &packet->addresses;

	told->toa.kind = kind;
	told->toa.length = told_length(family);
	told->toa.port = packet->ports;
	told->address[0] = addresses->word[0];
	if (family == FAMILY_4)
		return;
	told->address[1] = addresses->word[0] >> 32;
	told->address[2] = addresses->word[1];
	told->address[3] = addresses->word[1] >> 32;
}

/* What the option adds to TCP's sum, its header's greater length included; the pseudo header's is apart. */
static __always_inline __u16 told_sum(enum family family, const struct told *told)
{
	const __u32 *words = (const void *)told;
	__u64 sum = bpf_htons(told_length(family) / 4 << 12);

	for (__u32 i = 0; i < told_length(family) / 4; i++)
		sum += words[i];
	return fold(sum);
}

/* The IP header says how long the packet is now. */
static __always_inline void lengthen(enum family family, void *at)
{
	__u32 more = told_length(family);

	if (family == FAMILY_4) {
		struct iphdr *ip = at;
		__be16 length = bpf_htons(bpf_ntohs(ip->tot_len) + more);

		ip->check = corrected(ip->check, fold(difference(ip->tot_len, length)));
		ip->tot_len = length;
	} else {
		struct ipv6hdr *ip = at;

		ip->payload_len = bpf_htons(bpf_ntohs(ip->payload_len) + more);
	}
}

/* What stands before TCP's options moves to the front. WALK: once more. */
static __always_inline enum verdict tell_xdp(struct xdp_md *ctx, enum family family)
{
	__u32 more = told_length(family), headers = plain_l4(family) + sizeof(struct tcphdr);
	struct packet *packet = rare_packet(HOOK_XDP);
	struct told told = {};
	struct tcphdr *tcp;
	void *start, *end;

	if (!packet || bpf_xdp_adjust_head(ctx, -(int)more))
		return VERDICT_TC;
	start = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (start + headers + more > end)
		return drop(HOOK_XDP, REASON_ADJUST_FAILED);
	for (__u32 i = 0; i < headers / 2; i++)
		((__u16 *)start)[i] = ((__u16 *)(start + more))[i];
	make_told(TOA_KIND, family, packet, &told);
	__builtin_memcpy(start + headers, &told, more);
	lengthen(family, start + L3);
	tcp = start + plain_l4(family);
	tcp->doff += more / 4;
	tcp->check = corrected(tcp->check, told_sum(family, &told) + bpf_htons(more));
	return VERDICT_WALK;
}

/* Options that are there move on, behind the new one. */
static __always_inline bool move_options(struct __sk_buff *skb, enum family family, __u32 length)
{
	__u32 options[(TCP_HEADER_MOST - sizeof(struct tcphdr)) / 4] = {};
	__u32 at = plain_l4(family) + sizeof(struct tcphdr);

	if (!length)
		return true;
	/* The older verifier must be shown that the length is neither 0 nor beyond the buffer. */
	length--;
	asm volatile("" : "+r"(length));
	if (length >= sizeof(options))
		return false;
	length++;
	return !bpf_skb_load_bytes(skb, at, options, length) &&
	       !bpf_skb_store_bytes(skb, at + told_length(family), options, length, 0);
}

static __always_inline enum verdict tell_tc(struct __sk_buff *skb, enum family family)
{
	__u32 more = told_length(family), l4 = plain_l4(family), options = l4 + sizeof(struct tcphdr);
	__u32 check = l4 + offsetof(struct tcphdr, check);
	struct packet *packet = rare_packet(HOOK_TC);
	struct told told = {};
	struct tcphdr *tcp;
	void *start;

	if (!packet || bpf_skb_change_tail(skb, L3 + packet->length + more, 0) ||
	    !move_options(skb, family, L3 + packet->length - options))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	make_told(TOA_KIND, family, packet, &told);
	if (bpf_skb_store_bytes(skb, options, &told, more, 0) || bpf_skb_pull_data(skb, options + more))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	start = (void *)(long)skb->data;
	tcp = start + l4;
	if ((void *)(tcp + 1) > (void *)(long)skb->data_end)
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	lengthen(family, start + L3);
	tcp->doff += more / 4;
	/* The growth has made what a device summed up over the whole packet void. Of a checksum that one is to finish there is the pseudo header, with its length, and nothing else yet. */
	if (correct_addresses(skb, family, check, bpf_htons(more), 0) ||
	    bpf_l4_csum_replace(skb, check, 0, told_sum(family, &told), 0))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	return VERDICT_WALK;
}
