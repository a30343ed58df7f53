/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * TC: rewriting a socket buffer and sending it on. Its checksum may be a pseudo sum that a device finishes later
 * (CHECKSUM_PARTIAL), so layer 4 sums are changed by the kernel's helper, which knows; never by hand.
 */
#pragma once

#include "account.h"
#include "checksum.h"
#include "forward_xdp.h"

static __always_inline enum verdict send_tc(enum hook hook, __u64 via)
{
	struct bpf_redir_neigh neighbour = {
		.nh_family = AF_INET,
		.ipv4_nh = via >> 32,
	};

	/* Resolves the neighbour, queues while it does, and keeps it probed. */
	if (bpf_redirect_neigh(via, &neighbour, sizeof(neighbour), 0) != TC_ACT_REDIRECT)
		return drop(hook, REASON_REDIRECT_FAILED);
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

static __always_inline enum verdict translate_tc(struct __sk_buff *skb, enum hook hook, const struct walk *walk)
{
	const struct packet *packet = &walk->packet;
	void *start = packet_start(skb, hook), *end = packet_end(skb, hook);
	bool is_tcp = packet->protocol == IPPROTO_TCP;
	const struct flow *flow = walk->flow;
	__u32 l4 = packet->l4 & 0x7f;
	__u32 check = l4 + (is_tcp ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
	__u64 flags = is_tcp ? 0 : BPF_F_MARK_MANGLED_0;
	struct iphdr *ip = start + L3;
	void *ports = start + l4;

	if (!flow || (void *)(ip + 1) > end || ports + sizeof(__u32) > end)
		return drop(hook, REASON_MALFORMED);
	*(__u64 *)&ip->saddr = walk->new_addresses; /* and daddr */
	decrease_ttl(ip, flow->address_difference);
	*(__u32 *)ports = walk->new_ports;
	if (bpf_l4_csum_replace(skb, check, 0, flow->address_difference, flags | BPF_F_PSEUDO_HDR) ||
	    bpf_l4_csum_replace(skb, check, 0, flow->port_difference, flags))
		return drop(hook, REASON_MALFORMED);
	return send_tc(hook, walk->way.via);
}

static __always_inline enum verdict route_tc(struct __sk_buff *skb, enum hook hook, const struct walk *walk)
{
	void *start = packet_start(skb, hook);
	struct iphdr *ip = start + L3;

	if ((void *)(ip + 1) > packet_end(skb, hook))
		return drop(hook, REASON_MALFORMED);
	decrease_ttl(ip, 0);
	return send_tc(hook, walk->way.via);
}

/* FIXED_GSO: segments keep their size, and their headers are put on each by the kernel or the device. */
static __always_inline enum verdict tunnel_tc(struct __sk_buff *skb, enum hook hook, const struct walk *walk, __u32 rip)
{
	void *start = packet_start(skb, hook);
	struct iphdr *ip = start + L3, outer = {};

	if ((void *)(ip + 1) > packet_end(skb, hook))
		return drop(hook, REASON_MALFORMED);
	decrease_ttl(ip, 0);
	make_tunnel_header(&outer, walk, rip);
	if (bpf_skb_adjust_room(skb, TUNNEL_HEADER, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_FIXED_GSO) ||
	    bpf_skb_store_bytes(skb, L3, &outer, sizeof(outer), 0))
		return drop(hook, REASON_ADJUST_FAILED);
	return send_tc(hook, walk->way.via);
}
