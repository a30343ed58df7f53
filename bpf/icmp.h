/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Answering a packet by ICMP (RFC 792), as icmp_send does for IPVS: the packet itself, cut to what is quoted and with new
 * headers in front, goes back. Only in TC, to which XDP leaves these packets.
 */
#pragma once

#include "forward_tc.h"

/* linux/icmp.h pulls in the C library's sockets, which have no place in a BPF program. */
#define ICMP_DEST_UNREACH 3
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_EXC_TTL 0

#define QUOTE_MOST (576 - 28) /* RFC 1812: the whole message within 576 bytes */
#define ICMP_TTL 64
#define CHUNK 64
#define CHUNKS ((QUOTE_MOST + CHUNK - 1) / CHUNK)
/* As the kernel limits its own: net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst. */
#define ANSWERS_A_SECOND 1000
#define ANSWERS_BURST 50

struct answer {
	__u8 type;
	__u8 code;
	__u16 mtu; /* of fragmentation needed */
	struct address source; /* who says so */
};

struct icmp_headers {
	struct iphdr ip;
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 unused;
	__be16 mtu;
};

static __always_inline bool may_answer(__u32 now)
{
	struct settings *set = live_settings();
	__u32 zero = 0, tokens, earned, stamp;
	__u64 *budget = bpf_map_lookup_elem(&icmp_budget, &zero), seen, spent;

	if (!budget || !set || !set->hz)
		return false;
	for (int i = 0; i < 4; i++) {
		seen = READ_ONCE(*budget);
		tokens = seen;
		stamp = seen >> 32;
		earned = (__u64)(now - stamp) * ANSWERS_A_SECOND / set->hz;
		if (seen == 0 || earned > ANSWERS_BURST)
			earned = ANSWERS_BURST;
		tokens += earned;
		if (tokens > ANSWERS_BURST)
			tokens = ANSWERS_BURST;
		if (!tokens)
			return false;
		spent = (__u64)(earned ? now : stamp) << 32 | (tokens - 1);
		if (__sync_val_compare_and_swap(budget, seen, spent) == seen)
			return true;
	}
	return false;
}

/* The folded sum of `length` bytes of the packet from `offset`, or -1. A function of its own, for the stack. */
__noinline int sum_bytes(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__s64 total = 0;

	for (int i = 0; i < CHUNKS; i++) {
		__u32 words[CHUNK / 4] = {};
		__u32 size = length;

		if (!length)
			break;
		if (size >= CHUNK) {
			size = CHUNK;
			if (bpf_skb_load_bytes(skb, offset, words, CHUNK))
				return -1;
		} else {
			__u32 last = size - 1;

			/* The older verifier must be shown that the length is neither 0 nor beyond the buffer. */
			asm volatile("" : "+r"(last));
			last &= CHUNK - 1;
			if (bpf_skb_load_bytes(skb, offset, words, last + 1))
				return -1;
		}
		total = bpf_csum_diff(NULL, 0, words, CHUNK, total);
		offset += size;
		length -= size;
	}
	return fold(total);
}

/*
 * The sum of the quoted packet, or -1. When a device is still to fill in its layer 4 checksum, what it will fill in makes that
 * part's sum the complement of what now stands in the field, whatever the quoted bytes are; but for SCTP's CRC.
 */
static __always_inline __s64 sum_quote(struct __sk_buff *skb, const struct packet *packet, __u32 quoted)
{
	struct sk_buff___partial *kernel_skb = (void *)skb;
	__u16 pseudo;
	int sum;

	if (BPF_CORE_READ_BITFIELD_PROBED(kernel_skb, ip_summed) != CHECKSUM_PARTIAL)
		return sum_bytes(skb, L3, quoted);
	if (packet->protocol == IPPROTO_SCTP ||
	    bpf_skb_load_bytes(skb, packet->l4 + (packet->protocol == IPPROTO_TCP ? 16 : 6), &pseudo, sizeof(pseudo)))
		return -1;
	sum = sum_bytes(skb, L3, packet->l4 - L3);
	return sum < 0 ? sum : (__s64)sum + (__u16)~pseudo;
}

/* Sends the answer and drops what it answers, for `reason`. */
static __always_inline enum verdict answer_by_icmp(struct __sk_buff *skb, enum hook hook, struct walk *walk,
						   enum reason reason, const struct answer *answer)
{
	struct packet *packet = &walk->packet;
	__u32 quoted = packet->length < QUOTE_MOST ? packet->length : QUOTE_MOST;
	struct icmp_headers headers = {};
	struct address to;
	__s64 sum;

	if (reason != REASON_NONE)
		drop(hook, reason);
	if (!may_answer(walk->now)) {
		count_event(EVENT_ICMP_LIMITED);
		return VERDICT_DROP;
	}
	if (!take_tags_off(skb, packet) || bpf_skb_change_tail(skb, L3 + quoted, 0))
		return drop(hook, REASON_ADJUST_FAILED);
	sum = sum_quote(skb, packet, quoted);
	if (sum < 0 || bpf_skb_adjust_room(skb, sizeof(headers), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return drop(hook, REASON_ADJUST_FAILED);

	headers.type = answer->type;
	headers.code = answer->code;
	headers.mtu = bpf_htons(answer->mtu);
	headers.checksum = ~fold(sum + (__u64)(answer->type | answer->code << 8) + headers.mtu);

	headers.ip.version = 4;
	headers.ip.ihl = sizeof(headers.ip) / 4;
	headers.ip.tos = (packet->tos & 0x1e) | 0xc0; /* internetwork control, as icmp_send */
	headers.ip.tot_len = bpf_htons(sizeof(headers) + quoted);
	headers.ip.id = bpf_get_prandom_u32();
	headers.ip.ttl = ICMP_TTL;
	headers.ip.protocol = IPPROTO_ICMP;
	headers.ip.saddr = answer->source.word[0];
	headers.ip.daddr = packet->addresses.word[0];
	sum = (__u64)bpf_htons(0x4500 | headers.ip.tos) + headers.ip.tot_len + headers.ip.id +
	      bpf_htons(ICMP_TTL << 8 | IPPROTO_ICMP) + headers.ip.saddr + headers.ip.daddr;
	headers.ip.check = ~fold(sum);
	if (bpf_skb_store_bytes(skb, L3, &headers, sizeof(headers), 0))
		return drop(hook, REASON_ADJUST_FAILED);

	to = source_of(FAMILY_4, &packet->addresses);
	ask_way(skb, hook, FAMILY_4, &to, walk->way);
	if (!walk->way->via)
		return drop(hook, REASON_NO_ROUTE);
	return send_tc(hook, FAMILY_4, walk->way);
}
