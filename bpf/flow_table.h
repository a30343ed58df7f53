/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Putting connections into the table and taking them out, on all CPUs at once and without a lock.
 *
 * Each slot's `home` word holds a bit for each of the 32 places where an entry of that home may be, and a version. An entry
 * exists when its bit is set; setting it is one compare and swap of that one word, so two CPUs that create the same flow can't
 * both succeed: the second sees the word changed, searches again, and finds the first one's entry.
 *
 *   claim    a free place: life FREE (or DEAD beyond the grace period) -> BUSY. Nobody can reach it yet.
 *   fill     key, destination, rewrite; then life -> LIVE or REPLY.
 *   link     home word: bit set, version + 1.
 *   unlink   life -> DYING (one CPU wins), bit cleared, life -> DEAD. The grace period lets readers that found it finish.
 *
 * A connection of masq or fullnat has a second entry for its replies. It is linked before the connection and unlinked after it,
 * by whoever does so to the connection: a reply can't outlive or precede its connection.
 */
#pragma once

#include "checksum.h"
#include "flow.h"
#include "state.h"

#define LINK_TRIES 8

enum insertion {
	INSERTED,
	EXISTS, /* another CPU was first: its entry is in force */
	TUPLE_TAKEN, /* the reply's key belongs to another connection */
	NO_ROOM,
};

/* What a new connection's entries shall say. */
struct new_flow {
	__u64 addresses; /* client's packets: the key */
	__u64 ports;
	__u64 new_addresses; /* and what they become */
	__u32 new_ports;
	__u64 reply_addresses; /* replies: the key; what they become is the client's key turned round */
	__u64 reply_ports;
	__u32 destination;
	__u32 method;
	__u32 state;
	__u32 now;
	__u32 has_reply;
	__u32 slot; /* answer: the connection's slot, when INSERTED or EXISTS */
};

/* A claimed slot, and where it stands in its home's window. */
struct place {
	__u32 home;
	__u32 slot;
	__u32 j;
};

static __always_inline __u64 swap_words(__u64 addresses)
{
	return addresses >> 32 | addresses << 32;
}

static __always_inline __u64 swap_ports(__u64 ports)
{
	return (ports & ~0xffffffffULL) | (ports >> 16 & 0xffff) | (ports & 0xffff) << 16;
}

static __always_inline bool is_free(__u64 life, __u32 now)
{
	__u32 kind = flow_kind(life);

	return kind == FLOW_FREE || (kind == FLOW_DEAD && now - (__u32)(life >> 32) > FLOW_GRACE);
}

/*
 * Claims a free slot of a home's window other than the home itself: slot | j << 32, or NO_PLACE. This function and the next stand alone, so that the
 * verifier goes through them once and not once for each way of getting there.
 */
#define NO_PLACE (~0ULL)

static __always_inline bool claim_at(struct flow *flow, __u32 j, __u32 now)
{
	__u64 life = READ_ONCE(flow->life), busy;
	__u32 generation = ((__u32)life >> FLOW_GENERATION_SHIFT) + 1;

	if (!is_free(life, now))
		return false;
	busy = (__u64)now << 32 | generation << FLOW_GENERATION_SHIFT | j << FLOW_OFFSET_SHIFT | FLOW_BUSY;
	return __sync_val_compare_and_swap(&flow->life, life, busy) == life;
}

__noinline __u64 claim_slot(__u32 home, __u32 now)
{
	for (__u32 j = 1; j < FLOW_WINDOW; j++) {
		__u32 slot = window_slot(home, j);
		struct flow *flow = flow_at(slot);

		if (!flow)
			break;
		if (claim_at(flow, j, now))
			return slot | (__u64)j << 32;
	}
	return NO_PLACE;
}

/* Sets a home's bit j for an entry with this key. Returns LINKED, NOT_LINKED, or the slot of the entry that has the key. */
#define LINKED 0xffffffff
#define NOT_LINKED 0xfffffffe

__noinline __u32 link_entry(__u32 home, __u32 j, __u64 addresses, __u64 ports)
{
	struct flow *flow = flow_at(home);

	if (!flow)
		return NOT_LINKED;
	for (int i = 0; i < LINK_TRIES; i++) {
		__u64 word = READ_ONCE(flow->home), linked;
		__u32 found = (__u32)word ? search_window(home, word, addresses, ports) : NO_SLOT;

		if (found != NO_SLOT)
			return found;
		linked = (word + (1ULL << 32)) | 1ULL << (j & (FLOW_WINDOW - 1));
		if (__sync_val_compare_and_swap(&flow->home, word, linked) == word)
			return LINKED;
	}
	return NOT_LINKED;
}

static __always_inline bool claim(struct place *place, __u32 home, __u32 now)
{
	struct flow *flow = flow_at(home);
	__u64 claimed = flow && claim_at(flow, 0, now) ? home : claim_slot(home, now);

	place->home = home;
	place->slot = claimed;
	place->j = claimed >> 32;
	return claimed != NO_PLACE;
}

/* Gives a claimed place back. It was never reachable, so it needs no grace. */
static __always_inline void give_back(const struct place *place)
{
	struct flow *flow = flow_at(place->slot);

	if (flow)
		__sync_lock_test_and_set(&flow->life, (__u64)(flow->control & ~FLOW_BELOW_GENERATION) | FLOW_FREE);
}

static __always_inline void clear_bit(__u32 home, __u32 j)
{
	struct flow *flow = flow_at(home);

	if (flow)
		__sync_fetch_and_and(&flow->home, ~(1ULL << (j & (FLOW_WINDOW - 1))));
}

static __always_inline void make_dead(struct flow *flow, __u32 control, __u32 now)
{
	__sync_lock_test_and_set(&flow->life, (__u64)now << 32 | (control & ~(__u32)FLOW_KIND_MASK) | FLOW_DEAD);
}

static __always_inline void unlink_reply(__u32 slot, __u32 now)
{
	struct flow *flow = flow_at(slot);
	__u64 life = 0;
	bool won = false;

	if (!flow)
		return;
	/* Reply packets may be storing `seen` meanwhile, at most once a jiffy. */
	for (int i = 0; i < 16 && !won; i++) {
		life = READ_ONCE(flow->life);
		if (flow_kind(life) != FLOW_REPLY)
			return;
		won = __sync_val_compare_and_swap(&flow->life, life, (life & ~(__u64)FLOW_KIND_MASK) | FLOW_DYING) ==
		      life;
	}
	if (!won)
		return;
	clear_bit(flow_home(flow->addresses, flow->ports), life >> FLOW_OFFSET_SHIFT & FLOW_OFFSET_MASK);
	make_dead(flow, life, now);
}

/*
 * Ends a connection if its life is still what the caller judged it by: another CPU's packet in between keeps it. Returns 1
 * when this call ended it.
 */
__noinline int end_connection(__u32 slot, __u64 life)
{
	struct flow *flow = flow_at(slot);
	__u32 now = jiffies(), control = life, partner;
	struct destination *destination;

	if (!flow || flow_kind(control) != FLOW_LIVE)
		return 0;
	if (__sync_val_compare_and_swap(&flow->life, life, (life & ~(__u64)FLOW_KIND_MASK) | FLOW_DYING) != life)
		return 0;
	clear_bit(flow_home(flow->addresses, flow->ports), control >> FLOW_OFFSET_SHIFT & FLOW_OFFSET_MASK);
	partner = flow->partner;
	destination = destination_at(flow->destination);
	if (destination)
		__sync_fetch_and_add(control & FLOW_INACTIVE ? &destination->inactive : &destination->active, -1);
	make_dead(flow, control, now);
	if (partner != NO_PARTNER)
		unlink_reply(partner, now);
	return 1;
}

static __always_inline void fill(const struct place *place, const struct new_flow *new, __u32 kind, __u32 partner)
{
	struct flow *flow = flow_at(place->slot);
	bool is_reply = kind == FLOW_REPLY;
	__u64 addresses, ports;
	__u32 control;

	if (!flow)
		return;
	flow->addresses = is_reply ? new->reply_addresses : new->addresses;
	flow->ports = is_reply ? new->reply_ports : new->ports;
	flow->new_addresses = is_reply ? swap_words(new->addresses) : new->new_addresses;
	flow->new_ports = is_reply ? swap_ports(new->ports) : new->new_ports;
	addresses = address_difference(flow->addresses, flow->new_addresses);
	ports = difference(flow->ports, flow->new_ports);
	flow->address_difference = fold(addresses);
	flow->port_difference = fold(ports);
	flow->whole_difference = fold(addresses + ports);
	flow->destination = new->destination;
	flow->partner = partner;
	control = (flow->control & ~FLOW_BELOW_GENERATION) | place->j << FLOW_OFFSET_SHIFT | kind |
		  new->state << FLOW_STATE_SHIFT | new->method << FLOW_METHOD_SHIFT;
	if (!is_active(new->state))
		control |= FLOW_INACTIVE;
	/* A full barrier: whoever sees this kind sees the fields above. */
	__sync_lock_test_and_set(&flow->life, (__u64) new->now << 32 | control);
}

/* The bit that makes sweeps look at this slot's page. Set after the entry is live, since a sweep clears it before it looks. */
static __always_inline void mark_page(__u32 slot)
{
	__u32 page = slot / SLOTS_PER_PAGE, word = page / PAGES_PER_WORD;
	__u64 *pages = bpf_map_lookup_elem(&flow_pages, &word), bit = 1ULL << page % PAGES_PER_WORD;

	if (pages && !(READ_ONCE(*pages) & bit))
		__sync_fetch_and_or(pages, bit);
}

static __always_inline void count_connection(const struct new_flow *new)
{
	struct destination *destination = destination_at(new->destination);

	if (destination)
		__sync_fetch_and_add(is_active(new->state) ? &destination->active : &destination->inactive, 1);
}

/* Is the reply entry at `slot` of the very connection that is being inserted, by another CPU? */
static __always_inline bool is_own_reply(__u32 slot, const struct new_flow *new)
{
	struct flow *flow = flow_at(slot);

	return flow && flow->new_addresses == swap_words(new->addresses) &&
	       flow->new_ports == (__u32)swap_ports(new->ports);
}

static __always_inline void uncount_connection(const struct new_flow *new)
{
	struct destination *destination = destination_at(new->destination);

	if (destination)
		__sync_fetch_and_add(is_active(new->state) ? &destination->active : &destination->inactive, -1);
}

/* A window may be full because another CPU has just entered this very connection. */
static __always_inline enum insertion no_room(struct new_flow *new)
{
	return find_flow(new->addresses, new->ports, &new->slot) ? EXISTS : NO_ROOM;
}

/* Enters a connection, with its reply entry if it has one, whole or not at all. */
__noinline int insert_connection(struct new_flow *new)
{
	struct place place, reply;
	__u32 linked;

	if (!new)
		return NO_ROOM;
	if (!claim(&place, flow_home(new->addresses, new->ports), new->now))
		return no_room(new);
	reply.slot = NO_PARTNER;
	if (new->has_reply) {
		if (!claim(&reply, flow_home(new->reply_addresses, new->reply_ports), new->now)) {
			give_back(&place);
			return no_room(new);
		}
		fill(&reply, new, FLOW_REPLY, place.slot);
		linked = link_entry(reply.home, reply.j, new->reply_addresses, new->reply_ports);
		if (linked != LINKED) {
			give_back(&reply);
			give_back(&place);
			if (linked == NOT_LINKED)
				return NO_ROOM;
			return is_own_reply(linked, new) ? EXISTS : TUPLE_TAKEN;
		}
	}
	/* Counted before it is linked: once linked, it may end, and be uncounted, on another CPU. */
	count_connection(new);
	fill(&place, new, FLOW_LIVE, reply.slot);
	linked = link_entry(place.home, place.j, new->addresses, new->ports);
	if (linked == LINKED) {
		mark_page(place.slot);
		new->slot = place.slot;
		return INSERTED;
	}
	uncount_connection(new);
	give_back(&place);
	if (reply.slot != NO_PARTNER)
		unlink_reply(reply.slot, new->now);
	new->slot = linked;
	return linked == NOT_LINKED ? NO_ROOM : EXISTS;
}
