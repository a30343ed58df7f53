/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fullnat between families: clients of IPv6 and real servers of IPv4, or the reverse. A packet's IP header becomes one of the other
 * family (RFC 7915), both ways. Only TC does that. XDP enters the connection, for what schedules can't be asked twice, and leaves
 * the packet. The walk hands over to programs of their own, so that no other packet pays for them.
 */
#pragma once

#include "related.h"
#include "wrap.h"

#define LEAST_MTU_SIX 1280 /* RFC 8200: less than this no IPv6 sender is told, and may be fragmented as IPv4 */

/* -- entering -- */

/* A sum over both families' addresses takes IPv4's unused words for 0. */
static __always_inline void clear_unused(enum family family, struct addresses *addresses)
{
	if (family == FAMILY_4)
		addresses->word[1] = addresses->word[2] = addresses->word[3] = 0;
}

/* What open_flow() scheduled. */
static __always_inline enum verdict enter_crossing(void *ctx, enum hook hook, enum family family, struct walk *walk,
						   struct destination *destination)
{
	enum family other = other_family(family);
	struct opening *opening;
	enum verdict verdict;
	struct new_flow *new;
	__u32 key = hook;

	opening = bpf_map_lookup_elem(&openings, &key);
	if (!opening)
		return VERDICT_PASS;
	asm volatile("" : "+r"(opening)); /* or clang adds before it compares, which the verifier refuses */
	new = &opening->new;
	new->method = METHOD_CROSS;
	clear_unused(family, &new->key.addresses);
	clear_unused(family, &new->back.addresses);
	clear_unused(other, &new->reply.addresses);
	__builtin_memset(&new->new.addresses, 0, sizeof(new->new.addresses));
	new->new.family = other;
	set_target(&new->new, &destination->rip);
	way_to_destination(ctx, hook, other, destination, walk->now, walk->way); /* for its source */
	verdict = is_fragment(&walk->packet) ? drop(hook, REASON_NOT_TRANSLATABLE)
					     : enter(hook, family, other, walk, new, &opening->choice);
	if (new->controller != NO_SLOT && hook != HOOK_TRACE)
		leave_template(new->controller, new);
	return verdict;
}

/* -- headers -- */

/* Both are made in words, as they are summed. `length`: of the whole packet. */
static __always_inline void make_crossed_four(__u32 *words, const struct addresses *addresses, __u32 length, __u8 tos,
					      __u8 ttl, __u8 protocol, bool dont_fragment)
{
	__u32 first, second, third, source = addresses->word[0], target = addresses->word[0] >> 32;

	/* Beyond 64 kB a packet, which is yet to be cut, has no length. */
	first = 0x45 | tos << 8 | (length > 0xffff ? 0 : bpf_htons(length)) << 16;
	second = dont_fragment ? bpf_htons(IP_DONT_FRAGMENT) << 16 : bpf_get_prandom_u32() & 0xffff;
	third = ttl | protocol << 8;
	third |= (__u32)(__u16)~fold((__u64)first + second + third + source + target) << 16;
	words[0] = first;
	words[1] = second;
	words[2] = third;
	words[3] = source;
	words[4] = target;
}

static __always_inline void make_crossed_six(__u32 *words, const struct addresses *addresses, __u32 length, __u8 tos,
					     __u8 hop_limit, __u8 protocol)
{
	length -= sizeof(struct ipv6hdr);
	words[0] = bpf_htonl(6U << 28 | (__u32)tos << 20);
	words[1] = (length > 0xffff ? 0 : bpf_htons(length)) | protocol << 16 | (__u32)hop_limit << 24;
	for (int i = 0; i < 4; i++) {
		words[2 + i * 2] = addresses->word[i];
		words[3 + i * 2] = addresses->word[i] >> 32;
	}
}

/* By how much a packet with these headers, in bytes, leaves longer than it came: options and extensions end here. */
static __always_inline __s32 longer_by(enum family other, __u32 headers)
{
	return (__s32)tunnel_header(other) - (__s32)headers;
}

/* The packet's bytes move, and the kernel knows of what family it now is; what stands in front of layer 4 is yet to be written. */
static __always_inline long make_crossed_room(struct __sk_buff *skb, enum family family, __s32 longer)
{
	__s32 rest = longer - crossing(family, other_family(family));
	__be16 type = ether_type(other_family(family));

	if (rest < 0 && bpf_skb_adjust_room(skb, rest, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	if (bpf_skb_change_proto(skb, type, 0))
		return -1;
	if (rest > 0 && bpf_skb_adjust_room(skb, rest, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0);
}

static __always_inline long cross_header(struct __sk_buff *skb, enum family family, const struct walk *walk)
{
	enum family other = other_family(family);
	const struct packet *packet = &walk->packet;
	__s32 longer = longer_by(other, packet->l4 - L3);
	struct question *question = question_of(HOOK_TC);
	__u32 length = packet->length + longer;

	if (!question || make_crossed_room(skb, family, longer))
		return -1;
	if (other == FAMILY_4)
		make_crossed_four(question->header, &walk->new_addresses, length, packet->tos, packet->ttl - 1,
				  packet->protocol, packet->dont_fragment);
	else
		make_crossed_six(question->header, &walk->new_addresses, length, packet->tos, packet->ttl - 1,
				 packet->protocol);
	return bpf_skb_store_bytes(skb, L3, question->header, tunnel_header(other), BPF_F_RECOMPUTE_CSUM);
}

/* -- layer 4 -- */

/* IPv6 has no UDP without a checksum. It is made over what then stands there. */
static __always_inline long sum_datagram(struct __sk_buff *skb, const struct walk *walk, __u32 l4)
{
	__u32 length = walk->packet.length - (walk->packet.l4 - L3), check = l4 + offsetof(struct udphdr, check);
	int own = sum_tc(skb, l4, length);
	__u64 sum = (__u64)bpf_htons(length) + bpf_htons(IPPROTO_UDP) + own;
	__u16 value;

	if (own < 0)
		return -1;
	for (int i = 0; i < 4; i++)
		sum += (walk->new_addresses.word[i] & 0xffffffff) + (walk->new_addresses.word[i] >> 32);
	value = ~fold(sum);
	value = value ? value : 0xffff;
	return bpf_skb_store_bytes(skb, check, &value, sizeof(value), BPF_F_RECOMPUTE_CSUM);
}

/* Both families' pseudo headers sum up the same but for the addresses. */
static __always_inline long cross_transport(struct __sk_buff *skb, enum family family, const struct walk *walk)
{
	const struct packet *packet = &walk->packet;
	__u32 l4 = l4_of(family, packet), check = l4 + checksum_offset(packet);
	__u64 flags = packet->protocol == IPPROTO_TCP ? 0 : BPF_F_MARK_MANGLED_0;
	__u16 value, ports_added = walk->extension->new.port_difference;
	__u32 ports = walk->new_ports;

	if (packet->protocol == IPPROTO_SCTP)
		return translate_sctp_tc(skb, l4, ports, transport_length(packet));
	if (bpf_skb_load_bytes(skb, check, &value, sizeof(value)) ||
	    bpf_skb_store_bytes(skb, l4, &ports, sizeof(ports), 0))
		return -1;
	if (family == FAMILY_4 && packet->protocol == IPPROTO_UDP && !value) {
		bpf_csum_update(skb, ports_added);
		return sum_datagram(skb, walk, l4);
	}
	/* All of the new header is accounted for where it is stored: BPF_F_IPV6 has no part in it. */
	return bpf_l4_csum_replace(skb, check, 0, walk->extension->new.address_difference, flags | BPF_F_PSEUDO_HDR) ||
	       bpf_l4_csum_replace(skb, check, 0, ports_added, flags);
}

static __always_inline enum verdict translate_crossing(struct __sk_buff *skb, enum family family, struct walk *walk)
{
	if (!walk->extension)
		return drop(HOOK_TC, REASON_MALFORMED);
	if (!take_tags_off(skb, &walk->packet))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	if (cross_transport(skb, family, walk) || cross_header(skb, family, walk))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	return send_tc(HOOK_TC, other_family(family), walk->way);
}

/* -- the walk's end -- */

/* RFC 7915, 5.1: what an IPv6 sender may not be asked to make smaller is fragmented on the way. */
static __always_inline enum reason crossing_obstacle(enum hook hook, enum family family, struct walk *walk)
{
	struct packet *packet = &walk->packet;
	enum reason reason;

	if (is_fragment(packet))
		return REASON_NOT_TRANSLATABLE;
	if (family == FAMILY_6)
		packet->dont_fragment = packet->segment > LEAST_MTU_SIX;
	reason = obstacle(hook, walk, longer_by(other_family(family), packet->l4 - L3));
	if (family == FAMILY_6 && reason == REASON_TOO_BIG && walk->way->mtu < LEAST_MTU_SIX)
		walk->way->mtu = LEAST_MTU_SIX;
	return reason;
}

/* What the entry says, if the walk has one. */
static __always_inline void take_crossing(struct walk *walk)
{
	__u32 control;

	if (!walk->flow)
		return;
	control = READ_ONCE(walk->flow->control);
	walk->is_reply = flow_kind(control) == FLOW_REPLY;
	walk->extension = extension_of(walk->flow, control);
	if (!walk->extension)
		return;
	walk->new_addresses = walk->extension->new.addresses;
	walk->new_ports = walk->extension->new.ports;
}

/* Where the walk stands that handed over; false: nowhere. */
static __always_inline bool resume(enum hook hook, enum family family, struct walk *walk, const struct parcel *parcel)
{
	if (!walk->way || !parcel)
		return false;
	walk->packet = parcel->packet;
	walk->slot = parcel->slot;
	walk->flow = flow_at(walk->slot); /* none for NO_SLOT */
	walk->now = parcel->now;
	walk->destination = parcel->destination;
	walk->method = METHOD_CROSS;
	walk->new_family = other_family(family);
	take_crossing(walk);
	return true;
}

static __always_inline enum verdict cross_packet(void *ctx, enum hook hook, enum family family)
{
	struct way known;
	struct walk walk = {.way = way_of(hook, &known)};
	struct parcel *parcel = parcel_of(hook);
	struct destination *destination;
	enum verdict verdict;
	enum reason reason;

	if (!resume(hook, family, &walk, parcel))
		return VERDICT_DROP;
	destination = destination_at(walk.destination);
	if (!destination)
		return VERDICT_DROP;
	if (!walk.flow) {
		verdict = enter_crossing(ctx, hook, family, &walk, destination);
		if (verdict != VERDICT_NEXT)
			return verdict;
		take_crossing(&walk);
	}
	if (is_xdp(hook))
		return VERDICT_TC;
	if (hook == HOOK_TC && parcel->is_related) {
		if (walk.packet.protocol == IPPROTO_RAW && walk.flow)
			forget_state(walk.flow);
		return VERDICT_RELATED;
	}
	find_way(ctx, hook, other_family(family), &walk, destination);
	reason = crossing_obstacle(hook, family, &walk);
	if (hook == HOOK_TRACE) {
		trace_walk(family, other_family(family), &walk, reason);
		return reason == REASON_NONE ? VERDICT_SENT : VERDICT_DROP;
	}
	/* As in send_on(): what the kernel would not forward IPVS does not see. */
	if (walk.is_reply && reason != REASON_NONE)
		return refuse(hook, family, &walk, destination, reason);
	if (walk.flow)
		track(walk.flow, walk.slot, &walk.packet, walk.is_reply, walk.now);
	count_packet(walk.destination, walk.is_reply, walk.packet.length);
	if (reason != REASON_NONE)
		return refuse(hook, family, &walk, destination, reason);
	if (is_to_clamp(&walk.packet, destination) && !clamp(ctx, &walk, destination))
		return drop(hook, REASON_ADJUST_FAILED);
	return translate_crossing(ctx, family, &walk);
}
