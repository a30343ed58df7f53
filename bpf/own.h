/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The director itself as a client and as a real server (IPVS's LOCAL_OUT and Local), in programs of their own: its packets are seen
 * where they leave, at TC's egress, and those of its connections that stay with it are translated where they are.
 *
 * A request to its own real server goes up from the interface that it came by; from the director itself, along lo. An answer
 * leaves as it was routed. What comes back from another real server to the director itself goes up by lo, because its source
 * becomes the VIP, and so does fullnat's request.
 */
#pragma once

#include "one_packet.h"

/* -- where they leave -- */

/* Its connection's entry is the client's alone. */
static __always_inline void note_answer(struct flow *flow, __u32 slot, const struct packet *packet, __u32 now)
{
	__u64 life = READ_ONCE(flow->life);

	if (!(life & FLOW_OWN) && flow_kind(life) == FLOW_LIVE)
		__sync_val_compare_and_swap(&flow->life, life, life | FLOW_OWN);
	note_seen(flow, now);
	if (packet->protocol != IPPROTO_UDP && !changes_nothing(packet, flow_state(life)))
		change_state(slot, event_of(packet), DIRECTION_OUT, now);
	count_packet(flow->destination, true, packet->length);
}

/*
 * Is it done with? An answer by gate or tunnel has no entry of its own; and masq's and fullnat's requests were translated on lo.
 */
static __always_inline bool is_settled(enum family family, const struct walk *walk)
{
	struct addresses turned = swapped(family, &walk->packet.addresses);
	struct flow *flow;
	__u32 slot, control;

	flow = find_flow(family, &turned, swap_ports(walk->packet.ports), &slot);
	if (!flow)
		return false;
	control = READ_ONCE(flow->control);
	if (flow_kind(control) == FLOW_LIVE && direction_of(false, flow_method(control)) == DIRECTION_IN_ONLY)
		note_answer(flow, slot, &walk->packet, walk->now);
	return true;
}

static __always_inline enum verdict walk_own(struct __sk_buff *skb, enum family family)
{
	struct walk walk = {};
	const struct packet *packet = &walk.packet;
	enum verdict verdict;

	if (!make_linear(skb, family))
		return VERDICT_PASS;
	verdict = parse(skb, HOOK_TC, family, &walk.packet);
	if (verdict != VERDICT_NEXT)
		return verdict;
	walk.now = jiffies();
	walk.flow = find_flow(family, &packet->addresses, packet->ports, &walk.slot);
	if (!walk.flow)
		return is_settled(family, &walk) ? VERDICT_PASS : VERDICT_WALK;
	take_from(family, &walk, walk.flow);
	if (!is_on_its_way(skb, &walk))
		return VERDICT_WALK;
	track(walk.flow, walk.slot, packet, true, walk.now);
	count_packet(walk.destination, true, packet->length);
	return hand_over(HOOK_TC, &walk, false) == VERDICT_WRAP ? VERDICT_DELIVER : VERDICT_PASS;
}

/* -- what stays -- */

/* What the packet becomes: as its entry says, or what stands for one (one_packet.h). */
static __always_inline bool take_becoming(enum family family, struct walk *walk, const struct parcel *parcel)
{
	__u32 hook = HOOK_TC;
	struct lone *lone;

	if (!parcel->is_stateless) {
		walk->flow = flow_at(parcel->slot);
		if (walk->flow)
			take_from(family, walk, walk->flow);
		return walk->flow;
	}
	lone = bpf_map_lookup_elem(&lones, &hook);
	if (!lone)
		return false;
	walk->flow = &lone->entry;
	take_from(family, walk, walk->flow);
	walk->extension = &lone->extension;
	if (family == FAMILY_6) {
		walk->new_addresses = walk->extension->new.addresses;
		walk->new_ports = walk->extension->new.ports;
	}
	return true;
}

static __always_inline bool is_loopback(enum family family, const struct address *address)
{
	if (family == FAMILY_4)
		return (__u8)address->word[0] == 127;
	return !(address->word[0] | address->word[1] | address->word[2]) && address->word[3] == bpf_htonl(1);
}

/* The TTL or hop limit that forwarding takes one off is put back, by the very inverse. */
static __always_inline enum verdict renew(struct __sk_buff *skb, enum family family)
{
	void *ip = ip_at(family, packet_start(skb, HOOK_TC), packet_end(skb, HOOK_TC));

	if (!ip)
		return drop(HOOK_TC, REASON_MALFORMED);
	if (family == FAMILY_4) {
		struct iphdr *header = ip;

		header->check = corrected(header->check, bpf_htons(0x0100));
		header->ttl++;
	} else {
		((struct ipv6hdr *)ip)->hop_limit++;
		bpf_csum_update(skb, bpf_htons(1));
	}
	return VERDICT_NEXT;
}

/* The outer one is beside the packet, and tells which interface it goes up, or leaves, by. */
static __always_inline bool has_inner_tag(struct __sk_buff *skb)
{
	struct ethhdr *eth = packet_start(skb, HOOK_TC);

	return (void *)(eth + 1) <= packet_end(skb, HOOK_TC) && eth->h_proto == bpf_htons(ETH_P_8021Q);
}

/* What hand_over() left. */
static __always_inline enum verdict deliver_packet(struct __sk_buff *skb, enum family family)
{
	struct parcel *parcel = parcel_of(HOOK_TC);
	struct destination *destination;
	struct walk walk = {};
	enum verdict verdict;

	if (!parcel)
		return VERDICT_DROP;
	walk.packet = parcel->packet;
	if (!take_becoming(family, &walk, parcel))
		return VERDICT_DROP;
	destination = destination_at(walk.destination);
	if (!destination)
		return VERDICT_DROP;
	/* Nobody else's packets are for loopback (RFC 1122, 3.2.1.3): IPVS refuses it too. */
	if (!walk.is_reply && !is_made_here(skb) && is_loopback(family, &destination->rip))
		return drop(HOOK_TC, REASON_NO_ROUTE);
	if (has_inner_tag(skb) && (is_made_here(skb) || !take_tags_off(skb, &walk.packet)))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	verdict = rewrite_tc(skb, HOOK_TC, family, &walk);
	if (verdict == VERDICT_NEXT)
		verdict = renew(skb, family);
	return verdict == VERDICT_NEXT ? let_go(skb, &walk) : verdict;
}
