/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * TC: rewriting a socket buffer and sending it on. Layer 4's checksum may be a pseudo sum that a device finishes later
 * (CHECKSUM_PARTIAL), and what a device has summed up over the whole packet (CHECKSUM_COMPLETE) has to stay right: the kernel's own
 * structure is asked which it is.
 */
#pragma once

#include "account.h"
#include "checksum.h"
#include "forward_xdp.h"
#include <bpf/bpf_core_read.h>

/* Of linux/skbuff.h. */
#define CHECKSUM_COMPLETE 2
#define CHECKSUM_PARTIAL 3

/* The part of the kernel's own structure that tells who finishes the checksum. */
struct sk_buff___summed {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

static __always_inline __u32 summed_by(struct __sk_buff *skb)
{
	struct sk_buff___summed *kernel_skb = (void *)skb;

	return BPF_CORE_READ_BITFIELD_PROBED(kernel_skb, ip_summed);
}

/* Is a device still to make the checksum of layer 4? */
static __always_inline bool is_unfinished(struct __sk_buff *skb)
{
	return summed_by(skb) == CHECKSUM_PARTIAL;
}

#ifndef BPF_F_IPV6
#define BPF_F_IPV6 (1U << 7)
#endif

static __always_inline enum verdict send_tc(enum hook hook, enum family family, const struct way *way)
{
	struct bpf_redir_neigh neighbour = {};

	if (family == FAMILY_4) {
		neighbour.nh_family = AF_INET;
		neighbour.ipv4_nh = way->via >> 32;
	} else {
		neighbour.nh_family = AF_INET6;
		__builtin_memcpy(neighbour.ipv6_nh, way->gateway.word, sizeof(neighbour.ipv6_nh));
	}
	/* Resolves the neighbour, queues while it does, and keeps it probed. */
	if (bpf_redirect_neigh(way->via, &neighbour, sizeof(neighbour), 0) != TC_ACT_REDIRECT)
		return drop(hook, REASON_REDIRECT_FAILED);
	return VERDICT_SENT;
}

/*
 * Need the kernel not be asked for the neighbour? A packet that looked the way up goes by its neighbour code, which probes, and so does
 * one that XDP has looked it up for.
 */
static __always_inline bool is_addressable(const struct __sk_buff *skb, enum hook hook, const struct walk *walk)
{
	if (is_for_established(hook))
		return true;
	return hook == HOOK_TC && walk->way->fib == NO_LOOKUP && walk->way->l2 &&
	       (walk->is_handed || (!is_made_here(skb) && !was_at_xdp(skb)));
}

static __always_inline bool address_frame(struct __sk_buff *skb, enum hook hook, __u64 l2)
{
	struct ethhdr *eth = packet_start(skb, hook);
	__u32 oif = interface_of(l2);
	__u64 *interface = bpf_map_lookup_elem(&interfaces, &oif);

	if (!interface || (void *)(eth + 1) > packet_end(skb, hook))
		return false;
	write_mac(eth->h_dest, l2);
	write_mac(eth->h_source, *interface);
	return true;
}

static __always_inline enum verdict send_addressed(enum hook hook, enum family family, const struct way *way,
						   bool is_addressed)
{
	if (!is_addressed)
		return send_tc(hook, family, way);
	return bpf_redirect(interface_of(way->l2), 0) == TC_ACT_REDIRECT ? VERDICT_SENT
									 : drop(hook, REASON_REDIRECT_FAILED);
}

/*
 * To the director's own stack, of a packet whose source the director has too: from no other interface than lo does it take such
 * (net.ipv4.conf.lo.accept_local).
 */
static __always_inline enum verdict send_up(struct __sk_buff *skb)
{
	struct ethhdr *eth;

	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	eth = packet_start(skb, HOOK_TC);
	if ((void *)(eth + 1) > packet_end(skb, HOOK_TC))
		return drop(HOOK_TC, REASON_MALFORMED);
	write_mac(eth->h_dest, 0); /* lo's own */
	write_mac(eth->h_source, 0);
	if (bpf_redirect(LOOPBACK, BPF_F_INGRESS) != TC_ACT_REDIRECT)
		return drop(HOOK_TC, REASON_REDIRECT_FAILED);
	return VERDICT_SENT;
}

/* The device that the packet leaves by puts its own tags on. */
static __always_inline bool take_tags_off(struct __sk_buff *skb, const struct packet *packet)
{
	if (!packet->tagged)
		return true;
	for (int i = 0; i < 2 && skb->vlan_present; i++) {
		if (bpf_skb_vlan_pop(skb))
			return false;
	}
	return true;
}

/*
 * What a device summed up over the whole packet (CHECKSUM_COMPLETE) stays right under a change of IPv6 addresses, for they are
 * in it together with the sum that makes up for them: BPF_F_IPV6 says so. A kernel that does not know the flag changes nothing.
 */
static __always_inline long correct_addresses(struct __sk_buff *skb, enum family family, __u32 check, __u16 added,
					      __u64 flags)
{
	flags |= BPF_F_PSEUDO_HDR;
	if (family == FAMILY_6 && !bpf_l4_csum_replace(skb, check, 0, added, flags | BPF_F_IPV6))
		return 0;
	return bpf_l4_csum_replace(skb, check, 0, added, flags);
}

/* The hop limit is in no checksum that would make up for it. Does nothing to a socket buffer in another state. */
static __always_inline void correct_hop_limit(struct __sk_buff *skb, enum family family)
{
	if (family == FAMILY_6)
		bpf_csum_update(skb, (__u16)~bpf_htons(1));
}

/* Where a device is to compute CRC32c it does so over the bytes that then stand there. A function of its own, for the stack. */
__noinline int translate_sctp_tc(struct __sk_buff *skb, __u32 l4, __u32 new_ports, __u32 length)
{
	bool is_partial = is_unfinished(skb);
	struct sctp_header sctp;

	if (bpf_skb_load_bytes(skb, l4, &sctp, sizeof(sctp)))
		return -1;
	translate_sctp(&sctp, new_ports, length, is_partial);
	return bpf_skb_store_bytes(skb, l4, &sctp, sizeof(sctp), BPF_F_RECOMPUTE_CSUM);
}

/*
 * Layer 4's checksum after a translation. A pseudo sum has addresses in it and no ports, and is not yet a complement. UDP's that is not
 * there stays away. What a device summed up knows nothing of either: the kernel changes that.
 */
static __always_inline long correct_transport(struct __sk_buff *skb, enum family family, __u32 check, __u16 *sum,
					      bool is_tcp, __u16 addresses_added, __u16 ports_added, bool are_ports_new)
{
	__u64 flags = is_tcp ? 0 : BPF_F_MARK_MANGLED_0;
	__u32 summed = summed_by(skb);

	if (summed == CHECKSUM_COMPLETE)
		return correct_addresses(skb, family, check, addresses_added, flags) ||
		       (are_ports_new && bpf_l4_csum_replace(skb, check, 0, ports_added, flags));
	if (summed == CHECKSUM_PARTIAL)
		*sum = !*sum && !is_tcp ? 0 : fold(*sum + addresses_added);
	else if (is_tcp)
		*sum = corrected(*sum, addresses_added + ports_added);
	else
		*sum = corrected_udp(*sum, addresses_added + ports_added);
	return 0;
}

/* Addresses and ports become what the entry says. NEXT, or DROP. */
static __always_inline enum verdict rewrite_tc(struct __sk_buff *skb, enum hook hook, enum family family,
					       const struct walk *walk)
{
	const struct packet *packet = &walk->packet;
	void *start = packet_start(skb, hook), *end = packet_end(skb, hook);
	bool is_tcp = packet->protocol == IPPROTO_TCP;
	__u32 l4 = l4_of(family, packet);
	__u32 check = l4 + (is_tcp ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
	void *ip = ip_at(family, start, end), *ports = start + l4, *sum = start + check;
	__u16 addresses_added, ports_added;

	if (!walk->flow || !ip || (family == FAMILY_6 && !walk->extension))
		return drop(hook, REASON_MALFORMED);
	addresses_added = family == FAMILY_4 ? walk->flow->address_difference : walk->extension->new.address_difference;
	ports_added = family == FAMILY_4 ? walk->flow->port_difference : walk->extension->new.port_difference;
	readdress(family, ip, walk);
	correct_hop_limit(skb, family);
	if (!is_for_established(hook) && is_without_sum(packet)) {
		/* IPv6 addresses are in no sum that makes up for them, but in that of the whole packet. */
		if (family == FAMILY_6)
			bpf_csum_update(skb, addresses_added);
		if (!is_sctp_translatable(packet, walk->new_ports))
			return drop(hook, REASON_FRAGMENTED_SCTP);
		if (!(packet->rare & RARE_PORTLESS) &&
		    translate_sctp_tc(skb, l4, walk->new_ports, transport_length(packet)))
			return drop(hook, REASON_MALFORMED);
		return VERDICT_NEXT;
	}
	if (ports + sizeof(__u32) > end || sum + sizeof(__u16) > end)
		return drop(hook, REASON_MALFORMED);
	*(__u32 *)ports = walk->new_ports;
	if (correct_transport(skb, family, check, sum, is_tcp, addresses_added, ports_added,
			      walk->new_ports != (__u32)packet->ports))
		return drop(hook, REASON_MALFORMED);
	return VERDICT_NEXT;
}

static __always_inline enum verdict translate_tc(struct __sk_buff *skb, enum hook hook, enum family family,
						 const struct walk *walk)
{
	bool is_addressed = is_addressable(skb, hook, walk);
	enum verdict verdict;

	if (is_addressed && !address_frame(skb, hook, walk->way->l2))
		return drop(hook, REASON_MALFORMED);
	verdict = rewrite_tc(skb, hook, family, walk);
	return verdict == VERDICT_NEXT ? send_addressed(hook, family, walk->way, is_addressed) : verdict;
}

static __always_inline enum verdict route_tc(struct __sk_buff *skb, enum hook hook, enum family family,
					     const struct walk *walk)
{
	void *ip = ip_at(family, packet_start(skb, hook), packet_end(skb, hook));
	bool is_addressed = is_addressable(skb, hook, walk);

	if (!ip || (is_addressed && !address_frame(skb, hook, walk->way->l2)))
		return drop(hook, REASON_MALFORMED);
	age(family, ip);
	correct_hop_limit(skb, family);
	return send_addressed(hook, family, walk->way, is_addressed);
}

static __always_inline __u64 adjust_flags(enum family outer)
{
	/* FIXED_GSO: segments keep their size, and their headers are put on each by the kernel or the device. */
	return BPF_F_ADJ_ROOM_FIXED_GSO |
	       (outer == FAMILY_4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
}

/* Into the room that was made for it, which is in the linear part. */
static __always_inline bool put_outer_header(struct __sk_buff *skb, enum hook hook, enum family family,
					     const struct walk *walk, const struct address *rip)
{
	struct question *question;
	void *at;

	/* IPv4's own checksum makes its header's sum 0: nobody who has summed up the packet need know. */
	if (family == FAMILY_4) {
		at = ip_at(family, packet_start(skb, hook), packet_end(skb, hook));
		if (at)
			make_outer_header(family, family, at, walk, rip, inner_protocol(family), 0);
		return at;
	}
	question = question_of(HOOK_TC);
	if (!question)
		return false;
	make_outer_header(family, family, question->header, walk, rip, inner_protocol(family), 0);
	return !bpf_skb_store_bytes(skb, L3, question->header, tunnel_header(family), BPF_F_RECOMPUTE_CSUM);
}

/* IP in IP of one family; the other tunnels are in wrap.h. */
static __always_inline enum verdict tunnel_tc(struct __sk_buff *skb, enum hook hook, enum family family,
					      const struct walk *walk, const struct address *rip)
{
	void *ip = ip_at(family, packet_start(skb, hook), packet_end(skb, hook));
	bool is_addressed = is_addressable(skb, hook, walk);

	if (!ip || (is_addressed && !address_frame(skb, hook, walk->way->l2)))
		return drop(hook, REASON_MALFORMED);
	age(family, ip);
	correct_hop_limit(skb, family);
	if (bpf_skb_adjust_room(skb, tunnel_header(family), BPF_ADJ_ROOM_MAC, adjust_flags(family)) ||
	    !put_outer_header(skb, hook, family, walk, rip))
		return drop(hook, REASON_ADJUST_FAILED);
	return send_addressed(hook, family, walk->way, is_addressed);
}
