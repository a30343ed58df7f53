/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Answering a packet by ICMP (RFC 792, RFC 4443), as icmp_send and icmp6_send do for IPVS: the packet itself, cut to what is
 * quoted and with new headers in front, goes back. Only in TC, to which XDP leaves these packets, and there by programs of their
 * own: a walk has no stack to spare.
 */
#pragma once

#include "forward_tc.h"

/* linux/icmp.h pulls in the C library's sockets, which have no place in a BPF program. */
#define ICMP_DEST_UNREACH 3
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_EXC_TTL 0

#define ICMP6_DEST_UNREACH 1
#define ICMP6_PORT_UNREACH 4
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3

#define QUOTE_MOST (576 - 28) /* RFC 1812: the whole message within 576 bytes */
#define QUOTE_SIX_MOST (1280 - 48) /* RFC 4443: within the least MTU */
#define ICMP_TTL 64
#define CHUNK 64
#define CHUNKS ((QUOTE_SIX_MOST + CHUNK - 1) / CHUNK)
/* As the kernel limits its own: net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst. */
#define ANSWERS_A_SECOND 1000
#define ANSWERS_BURST 50

/* What is to be said, about which packet. */
struct answer {
	struct packet packet;
	struct address source; /* who says so */
	__u32 mtu; /* of fragmentation needed, of packet too big */
	__u32 quoted; /* bytes */
	__u32 destination; /* whose connection counts the message as a packet back; or NO_DESTINATION */
	__u32 now;
	__u8 type;
	__u8 code;
	__u8 has_aged; /* what is quoted is the packet after that */
	__u8 unused;
};

/* From the walk that found out to the program that answers. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answer);
} answers SEC(".maps");

static __always_inline struct answer *current_answer(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&answers, &zero);
}

struct icmp_headers {
	struct iphdr ip;
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 unused;
	__be16 mtu;
};

struct icmp_six_headers {
	struct ipv6hdr ip;
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 mtu;
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
	__u16 pseudo;
	int sum;

	if (!is_unfinished(skb))
		return sum_bytes(skb, L3, quoted);
	if (packet->protocol == IPPROTO_SCTP ||
	    bpf_skb_load_bytes(skb, packet->l4 + checksum_offset(packet), &pseudo, sizeof(pseudo)))
		return -1;
	sum = sum_bytes(skb, L3, packet->l4 - L3);
	return sum < 0 ? sum : (__s64)sum + (__u16)~pseudo;
}

/* Puts the message's headers in front of what it quotes. */
static __always_inline int head_four(struct __sk_buff *skb, const struct answer *answer)
{
	struct icmp_headers headers = {};
	__s64 sum = sum_quote(skb, &answer->packet, answer->quoted);

	if (sum < 0 || bpf_skb_adjust_room(skb, sizeof(headers), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	headers.type = answer->type;
	headers.code = answer->code;
	headers.mtu = bpf_htons(answer->mtu);
	headers.checksum = ~fold(sum + (__u64)(answer->type | answer->code << 8) + headers.mtu);

	headers.ip.version = 4;
	headers.ip.ihl = sizeof(headers.ip) / 4;
	headers.ip.tos = (answer->packet.tos & 0x1e) | 0xc0; /* internetwork control, as icmp_send */
	headers.ip.tot_len = bpf_htons(sizeof(headers) + answer->quoted);
	headers.ip.id = bpf_get_prandom_u32();
	headers.ip.ttl = ICMP_TTL;
	headers.ip.protocol = IPPROTO_ICMP;
	headers.ip.saddr = answer->source.word[0];
	headers.ip.daddr = answer->packet.addresses.word[0];
	sum = (__u64)bpf_htons(0x4500 | headers.ip.tos) + headers.ip.tot_len + headers.ip.id +
	      bpf_htons(ICMP_TTL << 8 | IPPROTO_ICMP) + headers.ip.saddr + headers.ip.daddr;
	headers.ip.check = ~fold(sum);
	return bpf_skb_store_bytes(skb, L3, &headers, sizeof(headers), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int head_six(struct __sk_buff *skb, const struct answer *answer)
{
	struct address to = source_of(FAMILY_6, &answer->packet.addresses);
	struct icmp_six_headers headers = {};
	__s64 sum = sum_quote(skb, &answer->packet, answer->quoted);
	__u32 length;

	if (sum < 0 || bpf_skb_adjust_room(skb, sizeof(headers), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	length = sizeof(headers) - sizeof(headers.ip) + answer->quoted;
	headers.type = answer->type;
	headers.code = answer->code;
	headers.mtu = bpf_htonl(answer->mtu);
	sum += (__u64)(answer->type | answer->code << 8) + headers.mtu;
	sum += (__u64)bpf_htons(length) + bpf_htons(IPPROTO_ICMPV6); /* and the addresses: the pseudo header */
	for (int i = 0; i < 4; i++)
		sum += (__u64)answer->source.word[i] + to.word[i];
	headers.checksum = ~fold(sum);

	headers.ip.version = 6;
	headers.ip.payload_len = bpf_htons(length);
	headers.ip.nexthdr = IPPROTO_ICMPV6;
	headers.ip.hop_limit = ICMP_TTL;
	__builtin_memcpy(&headers.ip.saddr, answer->source.word, sizeof(headers.ip.saddr));
	__builtin_memcpy(&headers.ip.daddr, to.word, sizeof(headers.ip.daddr));
	return bpf_skb_store_bytes(skb, L3, &headers, sizeof(headers), BPF_F_RECOMPUTE_CSUM);
}

/* A packet too big has aged before it is found to be so. */
static __always_inline int age_quoted(struct __sk_buff *skb, enum family family)
{
	void *ip = ip_at(family, packet_start(skb, HOOK_TC), packet_end(skb, HOOK_TC));

	if (!ip)
		return -1;
	age(family, ip);
	correct_hop_limit(skb, family);
	return 0;
}

/* IPVS takes an ICMP error from the VIP about a connection of gate or tunnel for its real server's (ip_vs_out_icmp). */
static __always_inline bool counts_answers(const struct walk *walk, const struct destination *destination)
{
	return destination && (walk->method == METHOD_GATE || walk->method == METHOD_TUNNEL);
}

/* Has the packet's sender told why it is dropped: by the VIP; of replies by the director's address on the real server's side. */
static __always_inline enum verdict answer_by_icmp(enum family family, const struct walk *walk,
						   const struct destination *destination, enum reason reason)
{
	bool is_four = family == FAMILY_4;
	struct answer *answer = current_answer();

	if (!answer)
		return VERDICT_DROP;
	answer->packet = walk->packet;
	answer->source = walk->is_reply && destination ? read_address(family, &destination->next_hop.source)
						       : target_of(family, &walk->packet.addresses);
	answer->now = walk->now;
	answer->destination = counts_answers(walk, destination) ? walk->destination : NO_DESTINATION;
	answer->has_aged = reason == REASON_TOO_BIG;
	answer->mtu = reason == REASON_TOO_BIG ? walk->way->mtu : 0;
	if (reason == REASON_TTL_EXCEEDED) {
		answer->type = is_four ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED;
		answer->code = ICMP_EXC_TTL;
	} else if (reason == REASON_TOO_BIG) {
		answer->type = is_four ? ICMP_DEST_UNREACH : ICMP6_TOO_BIG;
		answer->code = is_four ? ICMP_FRAG_NEEDED : 0;
	} else {
		answer->type = is_four ? ICMP_DEST_UNREACH : ICMP6_DEST_UNREACH;
		answer->code = is_four ? ICMP_PORT_UNREACH : ICMP6_PORT_UNREACH;
	}
	return VERDICT_ANSWER;
}

static __always_inline __u32 message_headers(enum family family)
{
	return family == FAMILY_4 ? sizeof(struct icmp_headers) : sizeof(struct icmp_six_headers);
}

/* What is in `answers`, if the limit allows. */
static __always_inline enum verdict send_answer(struct __sk_buff *skb, enum family family)
{
	__u32 most = family == FAMILY_4 ? QUOTE_MOST : QUOTE_SIX_MOST;
	struct answer *answer = current_answer();
	const struct packet *packet;
	struct way known, *way = way_of(HOOK_TC, &known);
	struct address to;

	if (!answer || !way)
		return VERDICT_DROP;
	packet = &answer->packet;
	to = source_of(family, &packet->addresses);
	if (is_none(&to) || is_none(&answer->source))
		return VERDICT_DROP;
	/* Nor does the kernel limit what paths' MTUs are learnt by. */
	if (!answer->mtu && !may_answer(answer->now)) {
		count_event(EVENT_ICMP_LIMITED);
		return VERDICT_DROP;
	}
	answer->quoted = packet->length < most ? packet->length : most;
	if (!take_tags_off(skb, packet) || bpf_skb_change_tail(skb, L3 + answer->quoted, 0) ||
	    (answer->has_aged && age_quoted(skb, family)) ||
	    (family == FAMILY_4 ? head_four(skb, answer) : head_six(skb, answer)))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	if (answer->destination != NO_DESTINATION)
		count_packet(answer->destination, true, answer->quoted + message_headers(family));
	if (is_made_here(skb))
		return send_up(skb);
	ask_way(skb, HOOK_TC, family, &to, way);
	if (!way->via)
		return drop(HOOK_TC, REASON_NO_ROUTE);
	return send_tc(HOOK_TC, family, way);
}
