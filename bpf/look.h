/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A packet's facts and its entry. Programs of established packets look first, and hand what they found to the walk that they
 * leave the packet to: it need not look again.
 */
#pragma once

#include "flow.h"
#include "rare.h"

/* One for each hook: a trace runs in a process, and packets may come between. */
struct look {
	struct packet packet;
	struct tuple key; /* for look_anew, whose stack is small */
	__u64 hash; /* flow_hash() */
	__u32 slot; /* of its entry, or NO_SLOT */
	__u32 is_handed; /* to the program that is about to be called */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct look);
} looks SEC(".maps");

static __always_inline struct look *look_of(__u32 hook)
{
	return bpf_map_lookup_elem(&looks, &hook);
}

static __always_inline void copy_packet(enum family family, struct packet *to, const struct packet *from)
{
	copy_addresses(family, &to->addresses, &from->addresses);
	to->ports = from->ports;
	to->length = from->length;
	to->segment = from->segment;
	to->l4 = from->l4;
	to->protocol = from->protocol;
	to->tcp_flags = from->tcp_flags; /* or SCTP's event */
	to->rare = from->rare;
	to->ttl = from->ttl;
	to->tos = from->tos;
	to->dont_fragment = from->dont_fragment;
	to->tagged = from->tagged;
}

/* Of an established hook to the walk at the same place. */
static __always_inline enum verdict hand_look(enum hook hook, enum family family, const struct packet *packet,
					      __u64 hash, __u32 slot)
{
	struct look *look = look_of(hook & ~HOOK_ESTABLISHED);

	if (look) {
		copy_packet(family, &look->packet, packet);
		look->hash = hash;
		look->slot = slot;
		look->is_handed = 1;
	}
	return VERDICT_WALK;
}

/* The walk could not be called. */
static __always_inline void take_look_back(enum hook hook)
{
	struct look *look = look_of(hook);

	if (look)
		look->is_handed = 0;
}

/* NEXT, or what parse() says. */
static __always_inline enum verdict look_anew(void *ctx, enum hook hook, enum family family)
{
	struct look *look = look_of(hook);
	struct packet *packet;
	enum verdict verdict;

	if (!look || (hook == HOOK_TC && !make_linear(ctx, family)))
		return VERDICT_PASS;
	packet = &look->packet;
	packet->rare = 0;
	verdict = parse(ctx, hook, family, packet);
	if (verdict != VERDICT_NEXT)
		return verdict;
	look->hash = flow_hash(family, &packet->addresses, packet->ports);
	copy_addresses(family, &look->key.addresses, &packet->addresses);
	look->key.ports = packet->ports;
	look->key.family = family;
	look->slot = find_tuple(&look->key);
	return VERDICT_NEXT;
}

/* By themselves: the verifier goes through each once, and not through the walk for each packet that there is. */
__noinline int look_xdp(struct xdp_md *ctx)
{
	return look_anew(ctx, HOOK_XDP, FAMILY_4);
}

__noinline int look_xdp_six(struct xdp_md *ctx)
{
	return look_anew(ctx, HOOK_XDP, FAMILY_6);
}

__noinline int look_tc(struct __sk_buff *skb)
{
	return look_anew(skb, HOOK_TC, FAMILY_4);
}

__noinline int look_tc_six(struct __sk_buff *skb)
{
	return look_anew(skb, HOOK_TC, FAMILY_6);
}

__noinline int look_trace(struct xdp_md *ctx)
{
	return look_anew(ctx, HOOK_TRACE, FAMILY_4);
}

__noinline int look_trace_six(struct xdp_md *ctx)
{
	return look_anew(ctx, HOOK_TRACE, FAMILY_6);
}

static __always_inline enum verdict look_by(void *ctx, enum hook hook, enum family family)
{
	if (hook == HOOK_TC)
		return family == FAMILY_4 ? look_tc(ctx) : look_tc_six(ctx);
	if (hook == HOOK_XDP)
		return family == FAMILY_4 ? look_xdp(ctx) : look_xdp_six(ctx);
	return family == FAMILY_4 ? look_trace(ctx) : look_trace_six(ctx);
}

/* What was found, by whomever. NULL: this packet is not for the walk, and `verdict` is what it is for. */
static __always_inline const struct look *take_look(void *ctx, enum hook hook, enum family family,
						    enum verdict *verdict, __u8 *is_handed)
{
	struct look *look = look_of(hook);

	*verdict = VERDICT_PASS;
	if (!look)
		return NULL;
	if (look->is_handed) {
		look->is_handed = 0;
		*is_handed = 1;
		return look;
	}
	*verdict = look_by(ctx, hook, family);
	return *verdict == VERDICT_NEXT ? look : NULL;
}
