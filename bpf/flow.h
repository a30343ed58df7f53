/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Finding a packet's entry in the connection table: one cache line for most packets. */
#pragma once

#include "maps.h"

/* Keyed by a secret, so that nobody outside can aim many connections at one home. Its high half is the good one. */
static __always_inline __u64 flow_hash(__u64 addresses, __u64 ports)
{
	__u64 hash = (addresses ^ config.hash_seed[0]) * 0x9e3779b97f4a7c15ULL;

	hash ^= hash >> 32;
	hash = (hash ^ ports ^ config.hash_seed[1]) * 0xd6e8feb86659fd93ULL;
	return hash;
}

static __always_inline __u32 flow_home(__u64 addresses, __u64 ports)
{
	/* Scales to the table: its size need not be a power of two. */
	return (flow_hash(addresses, ports) >> 32) * config.flow_slots >> 32;
}

/* The slot of a home's entry at offset j. Triangular numbers spread better than a run: far fewer windows fill up. */
static __always_inline __u32 window_slot(__u32 home, __u32 j)
{
	__u32 slot = home + j * (j + 1) / 2;

	return slot >= config.flow_slots ? slot - config.flow_slots : slot;
}

/* Lowest set bit's number, without a branch: each would double the verifier's paths. */
static __always_inline __u32 lowest_bit(__u32 bits)
{
	__u32 below = ~bits & (bits - 1);

	asm volatile("" : "+r"(below)); /* or clang makes a count-trailing-zeros of it, which it can't emit for BPF */
	return __builtin_popcount(below);
}

static __always_inline __u32 flow_kind(__u32 control)
{
	return control & FLOW_KIND_MASK;
}

static __always_inline __u32 flow_state(__u32 control)
{
	return control >> FLOW_STATE_SHIFT & FLOW_STATE_MASK;
}

static __always_inline __u32 flow_method(__u32 control)
{
	return control >> FLOW_METHOD_SHIFT & FLOW_METHOD_MASK;
}

/* FLOW_LIVE or FLOW_REPLY. */
static __always_inline bool is_linked(__u32 control)
{
	_Static_assert((FLOW_LIVE ^ FLOW_REPLY) == 1 && !(FLOW_LIVE & 1), "the two differ in the lowest bit");
	return (control & (FLOW_KIND_MASK & ~1)) == FLOW_LIVE;
}

static __always_inline bool flow_is(struct flow *flow, __u64 addresses, __u64 ports)
{
	return flow->addresses == addresses && flow->ports == ports && is_linked(READ_ONCE(flow->control));
}

/* The slot of the entry with this key among those that `window` (a home's bits) names, or NO_SLOT. */
__noinline __u32 search_window(__u32 home, __u32 window, __u64 addresses, __u64 ports)
{
	for (int i = 0; i < FLOW_WINDOW && window; i++) {
		__u32 slot = window_slot(home, lowest_bit(window));
		struct flow *flow = flow_at(slot);

		if (flow && flow_is(flow, addresses, ports))
			return slot;
		window &= window - 1;
	}
	return NO_SLOT;
}

static __always_inline struct flow *find_flow(__u64 addresses, __u64 ports, __u32 *slot)
{
	__u32 home = flow_home(addresses, ports), window;
	struct flow *flow = flow_at(home);

	if (!flow)
		return NULL;
	window = READ_ONCE(flow->home);
	*slot = home;
	if (window & 1 && flow_is(flow, addresses, ports))
		return flow;
	window &= ~1U;
	if (!window)
		return NULL;
	*slot = search_window(home, window, addresses, ports);
	return flow_at(*slot);
}
