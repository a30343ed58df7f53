/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * --mss-clamp: SYNs of a service that asks for it tell no larger segments than fit. Only in TC, to which XDP leaves them. By gate and
 * tunnel these are clients' alone, by masq and fullnat real servers' too.
 */
#pragma once

#include "icmp.h"
#include "options.h"

#define TCP_OPTION_MSS 2
#define TCP_OPTION_MSS_LENGTH 4

static __always_inline bool is_to_clamp(const struct packet *packet, const struct destination *destination)
{
	return packet->protocol == IPPROTO_TCP && packet->tcp_flags & TCP_SYN && READ_ONCE(destination->mss);
}

/* Where the option is; 0: nowhere. `at`, `end`: of the options. */
static __always_inline __u32 find_mss(struct __sk_buff *skb, __u32 at, __u32 end)
{
	for (int i = 0; i < OPTIONS_MOST; i++) {
		struct ip_option_head option = {};

		if (at >= end || bpf_skb_load_bytes(skb, at, &option.kind, sizeof(option.kind)) ||
		    option.kind == OPTION_END)
			return 0;
		if (option.kind == OPTION_NONE) {
			at++;
			continue;
		}
		if (bpf_skb_load_bytes(skb, at, &option, sizeof(option)) || option.length < sizeof(option))
			return 0;
		if (option.kind == TCP_OPTION_MSS)
			return option.length == TCP_OPTION_MSS_LENGTH && at + option.length <= end ? at : 0;
		at += option.length;
	}
	return 0;
}

/* Not 0: it can't be changed. A function of its own, so that the verifier goes through it once. */
__noinline int lower_mss(struct __sk_buff *skb, __u32 l4, __u32 most)
{
	__u16 told, new = bpf_htons(most);
	__u32 at;
	__u8 words;

	if (bpf_skb_load_bytes(skb, l4 + 12, &words, sizeof(words)))
		return 0;
	at = find_mss(skb, l4 + sizeof(struct tcphdr), l4 + (words >> 4) * 4);
	if (!at || bpf_skb_load_bytes(skb, at + 2, &told, sizeof(told)) || bpf_ntohs(told) <= most)
		return 0;
	if (bpf_skb_store_bytes(skb, at + 2, &new, sizeof(new), 0))
		return -1;
	if ((at - l4) & 1) { /* then its bytes belong to two of the words that are summed */
		told = __builtin_bswap16(told);
		new = __builtin_bswap16(new);
	}
	return bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), told, new, sizeof(new));
}

/* What goes back also has to fit the way that requests take. Without a tunnel's header, which has been taken off. */
static __always_inline __u32 least_mtu(const struct walk *walk, const struct destination *destination)
{
	__u32 mtu = walk->way->mtu, forth = READ_ONCE(destination->next_hop.mtu) & ~MTU_WITHOUT_DF;

	return walk->is_reply && forth && (!mtu || forth < mtu) ? forth : mtu;
}

static __always_inline bool clamp(struct __sk_buff *skb, const struct walk *walk, const struct destination *destination)
{
	__u32 most = READ_ONCE(destination->mss), headers = walk->packet.l4 - L3 + sizeof(struct tcphdr);

	if (most == MSS_OF_PATH) {
		__u32 mtu = least_mtu(walk, destination);

		if (mtu <= headers)
			return true;
		most = mtu - headers;
	}
	return take_tags_off(skb, &walk->packet) && !lower_mss(skb, walk->packet.l4, most);
}
