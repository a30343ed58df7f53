/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The way to an address: looked up by the packets themselves, at most once a second for each destination and client, so that
 * route and neighbour changes are followed with no process alive.
 */
#pragma once

#include "flow.h"
#include "parse.h"

#define AF_INET 2
#define LOOPBACK 1 /* its index in every namespace */
#define REFRESHES_A_SECOND_FAILED 10
#ifndef BPF_FIB_LOOKUP_SKIP_NEIGH
#define BPF_FIB_LOOKUP_SKIP_NEIGH (1U << 2)
#endif
#ifndef BPF_FIB_LOOKUP_SRC
#define BPF_FIB_LOOKUP_SRC (1U << 4)
#endif

/* What one packet is sent by. */
struct way {
	__u64 l2;
	__u64 via;
	__u32 mtu;
	__u32 source;
	__u32 fib; /* NO_LOOKUP, or the answer of the look-up that this packet made */
};

static __always_inline bool is_due(const struct next_hop *hop, __u32 now, __u32 *refresh)
{
	*refresh = READ_ONCE(hop->refresh);
	return *refresh == 0 || (__s32)(now - *refresh) >= 0;
}

/*
 * As if the packet came from lo, whose forwarding is on: so it works with ip_forward=0 and gives what IPVS's own output
 * look-up gives. A tot_len above 0 has the route's MTU told.
 */
static __always_inline void look_up(void *ctx, __u32 to, struct way *way)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET,
		.tot_len = 1,
		.ifindex = LOOPBACK,
		.ipv4_dst = to,
	};
	__u64 mac = 0;
	long answer = bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_SRC);

	way->fib = answer;
	way->l2 = 0;
	way->via = 0;
	way->mtu = 0;
	way->source = 0;
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH) {
		/* Only an answer without that question tells the MTU. The gateway now stands where the address was. */
		fib.tot_len = 1;
		fib.ifindex = LOOPBACK;
		fib.ipv4_dst = to;
		fib.ipv4_src = 0;
		if (bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_SRC | BPF_FIB_LOOKUP_SKIP_NEIGH))
			return;
	} else if (answer != BPF_FIB_LKUP_RET_SUCCESS) {
		return;
	}
	way->via = fib.ifindex | (__u64)fib.ipv4_dst << 32;
	way->mtu = fib.mtu_result;
	way->source = fib.ipv4_src;
	if (answer == BPF_FIB_LKUP_RET_SUCCESS) {
		__u32 oif = fib.ifindex;
		__u64 *interface = bpf_map_lookup_elem(&interfaces, &oif), known;

		known = interface ? READ_ONCE(*interface) : 0;
		if (!interface || !(known & INTERFACE_XDP))
			return;
		__builtin_memcpy(&mac, fib.smac, 6);
		/* By swap: user space may just be taking the program off. */
		if ((known & MAC_MASK) != mac)
			__sync_val_compare_and_swap(interface, known, mac | INTERFACE_XDP);
		mac = 0;
		__builtin_memcpy(&mac, fib.dmac, 6);
		way->l2 = mac | (__u64)oif << 48;
	}
}

static __always_inline __u32 next_refresh(const struct way *way, __u32 now)
{
	struct settings *set = live_settings();
	__u32 wait = set ? set->hz : 250, next;

	if (way->fib != BPF_FIB_LKUP_RET_SUCCESS)
		wait /= REFRESHES_A_SECOND_FAILED;
	next = now + wait;
	return next ? next : 1;
}

/*
 * Writing net.ipv4.ip_forward also sets every interface's own forwarding, lo's too, and then nothing can be looked up until
 * user space turns lo's on again. What was known stays in use.
 */
static __always_inline bool is_answer(const struct way *way)
{
	return way->fib != BPF_FIB_LKUP_RET_FWD_DISABLED && (__s32)way->fib >= 0;
}

/* The cached way, unless it is time to look again. */
static __always_inline bool known_way_to_destination(const struct destination *destination, __u32 now, struct way *way)
{
	const struct next_hop *hop = &destination->next_hop;
	__u32 refresh;

	way->fib = NO_LOOKUP;
	way->l2 = READ_ONCE(hop->l2);
	way->via = READ_ONCE(hop->via);
	way->mtu = READ_ONCE(hop->mtu);
	way->source = READ_ONCE(hop->source.word[0]);
	return !is_due(hop, now, &refresh);
}

static __always_inline void look_up_way_to_destination(void *ctx, enum hook hook, struct destination *destination,
						       __u32 now, struct way *way)
{
	struct next_hop *hop = &destination->next_hop;
	__u32 refresh = READ_ONCE(hop->refresh);

	if (hook == HOOK_TRACE) {
		look_up(ctx, destination->rip.word[0], way);
		return;
	}
	/* The first packets must not wait for the one that looks up. */
	if (READ_ONCE(hop->oif) != 0 && __sync_val_compare_and_swap(&hop->refresh, refresh, now + 25) != refresh)
		return;
	look_up(ctx, destination->rip.word[0], way);
	if (is_answer(way)) {
		WRITE_ONCE(hop->mtu, way->mtu);
		WRITE_ONCE(hop->source.word[0], way->source);
		WRITE_ONCE(hop->l2, way->l2);
		WRITE_ONCE(hop->via, way->via);
	} else {
		way->l2 = READ_ONCE(hop->l2);
		way->via = READ_ONCE(hop->via);
		way->mtu = READ_ONCE(hop->mtu);
		way->source = READ_ONCE(hop->source.word[0]);
	}
	/* Where nothing is known every packet asks, and so knows why it is dropped. */
	WRITE_ONCE(hop->refresh, is_answer(way) || way->via ? next_refresh(way, now) : 0);
}

static __always_inline void way_to_destination(void *ctx, enum hook hook, struct destination *destination, __u32 now,
					       struct way *way)
{
	if (!known_way_to_destination(destination, now, way))
		look_up_way_to_destination(ctx, hook, destination, now, way);
}

/*
 * Clients are many: their ways are in a table by hash, where two may want one place. The version tells a reader that the entry
 * changed hands under it; then, or when another holds the place, the packet looks up for itself.
 */
static __always_inline struct next_hop *client_hop(__u32 to)
{
	__u32 place = (to * 0x61c88647U) >> 16;

	_Static_assert(ROUTES == 1 << 16, "place takes 16 bits");
	return bpf_map_lookup_elem(&routes, &place);
}

/* False when the place is another's, or changed hands while it was read. */
static __always_inline bool read_client_hop(const struct next_hop *hop, __u32 to, struct way *way)
{
	__u32 version = READ_ONCE(hop->version);

	way->fib = NO_LOOKUP;
	if (version & 1 || READ_ONCE(hop->to) != to)
		return false;
	way->l2 = READ_ONCE(hop->l2);
	way->via = READ_ONCE(hop->via);
	way->mtu = READ_ONCE(hop->mtu);
	way->source = 0;
	return READ_ONCE(hop->version) == version;
}

static __always_inline bool known_way_to_client(__u32 to, __u32 now, struct way *way)
{
	struct next_hop *hop = client_hop(to);
	__u32 refresh;

	return hop && !is_due(hop, now, &refresh) && read_client_hop(hop, to, way);
}

static __always_inline void look_up_way_to_client(void *ctx, enum hook hook, __u32 to, __u32 now, struct way *way)
{
	struct next_hop *hop = client_hop(to);
	__u32 version, refresh;

	look_up(ctx, to, way);
	if (!hop)
		return;
	if (!is_answer(way)) {
		struct way known;

		if (read_client_hop(hop, to, &known)) {
			way->l2 = known.l2;
			way->via = known.via;
			way->mtu = known.mtu;
		}
		return;
	}
	/* A place that two clients want changes hands all the time: then XDP, which need not probe each time, sends by itself. */
	refresh = next_refresh(way, now);
	if (hook == HOOK_XDP && READ_ONCE(hop->to) != to && way->fib == BPF_FIB_LKUP_RET_SUCCESS)
		way->fib = NO_LOOKUP;
	version = READ_ONCE(hop->version);
	if (hook == HOOK_TRACE || version & 1 ||
	    __sync_val_compare_and_swap(&hop->version, version, version + 1) != version)
		return;
	WRITE_ONCE(hop->to, to);
	WRITE_ONCE(hop->mtu, way->mtu);
	WRITE_ONCE(hop->l2, way->l2);
	WRITE_ONCE(hop->via, way->via);
	WRITE_ONCE(hop->refresh, refresh);
	__sync_lock_test_and_set(&hop->version, version + 2);
}
