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
 *
 * What an entry has no room for is in a second slot, its extension, which only the entry names: claimed and filled before the
 * entry is linked, dead after it is unlinked. An IPv6 entry's key leaves no room for what its packets become.
 */
#pragma once

#include "call_id.h"
#include "checksum.h"
#include "flow.h"
#include "load.h"
#include "session.h"
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
	struct tuple key; /* client's packets */
	struct tuple new; /* masq, fullnat: what they become */
	struct tuple reply; /* the key of replies */
	struct tuple back; /* what those become: the client's key turned round */
	__u32 home; /* of `key` */
	__u32 destination;
	__u32 method;
	__u32 state;
	__u32 now;
	__u32 has_reply;
	__u32 own; /* has_reply: FLOW_OWN if the client is the director itself, or 0 */
	__u32 controller; /* the slot of the template that it came by, and which it then holds; NO_SLOT if none */
	__u32 template_s; /* it is a template, and lives so long; 0: it is none */
	__u32 ftp; /* FLOW_FTP, or 0 */
	__u16 address_difference; /* of IPv4, if it is translated: see struct flow; of replies the complement */
	__u16 port_difference;
	__u32 is_entered; /* answer: 1 when INSERTED: the entry holds the template, and no more its maker */
	__u32 slot; /* answer: the connection's slot, when INSERTED or EXISTS */
};

/*
 * A claimed slot, where it stands in its home's window, and the one claimed as its extension or NO_SLOT. What is at home and at the
 * slot is kept for IPv4 alone: IPv6's stack has no room, and looks again.
 */
struct place {
	struct flow *at_home;
	struct flow *at_slot;
	__u32 home;
	__u32 slot;
	__u32 j;
	__u32 extension;
};

static __always_inline struct flow *home_at(enum family family, const struct place *place)
{
	return family == FAMILY_4 ? place->at_home : flow_at(place->home);
}

static __always_inline struct flow *entry_at(enum family family, const struct place *place)
{
	return family == FAMILY_4 ? place->at_slot : flow_at(place->slot);
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

static __always_inline __u32 link_entry(enum family family, const struct place *place, const struct tuple *key)
{
	struct flow *flow = home_at(family, place);

	if (!flow)
		return NOT_LINKED;
	for (int i = 0; i < LINK_TRIES; i++) {
		__u64 word = READ_ONCE(flow->home), linked;
		__u32 found = NO_SLOT;

		if ((__u32)word)
			found = search_tuple(family, place->home, word, key);
		if (found != NO_SLOT)
			return found;
		linked = (word + (1ULL << 32)) | 1ULL << (place->j & (FLOW_WINDOW - 1));
		if (__sync_val_compare_and_swap(&flow->home, word, linked) == word)
			return LINKED;
	}
	return NOT_LINKED;
}

static __always_inline __u64 claim_near(__u32 home, __u32 now)
{
	struct flow *flow = flow_at(home);

	return flow && claim_at(flow, 0, now) ? home : claim_slot(home, now);
}

/* Gives a claimed slot back. It was never reachable, so it needs no grace. */
static __always_inline void free_slot(__u32 slot)
{
	struct flow *flow = flow_at(slot);

	if (flow)
		__sync_lock_test_and_set(&flow->life, (__u64)(flow->control & ~FLOW_BELOW_GENERATION) | FLOW_FREE);
}

static __always_inline void give_back(const struct place *place)
{
	free_slot(place->slot);
	if (place->extension != NO_SLOT)
		free_slot(place->extension);
}

/* As claim_near, and keeps what it has looked at. */
static __always_inline __u64 claim_four(struct place *place, __u32 home, __u32 now)
{
	__u64 claimed;

	place->at_home = flow_at(home);
	place->at_slot = place->at_home;
	if (!place->at_home)
		return NO_PLACE;
	if (claim_at(place->at_home, 0, now))
		return home;
	claimed = claim_slot(home, now);
	place->at_slot = flow_at(claimed); /* none for NO_PLACE */
	return claimed;
}

/* The extension is best beside its entry: then one read of memory brings both. */
static __always_inline bool claim(struct place *place, enum family family, __u32 home, bool is_extended, __u32 now)
{
	__u64 claimed = family == FAMILY_4 ? claim_four(place, home, now) : claim_near(home, now);

	if (claimed == NO_PLACE)
		return false;
	place->home = home;
	place->slot = claimed;
	place->j = claimed >> 32;
	place->extension = NO_SLOT;
	if (!is_extended)
		return true;
	claimed = claim_near((__u32)claimed ^ 1, now);
	if (claimed == NO_PLACE) {
		free_slot(place->slot);
		return false;
	}
	place->extension = claimed;
	return true;
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

/* Of an entry that is unlinked: those that found it before may still be reading. */
static __always_inline void end_extension(__u32 slot, __u32 now)
{
	struct flow *extension = flow_at(slot);

	if (extension)
		make_dead(extension, extension->control, now);
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
	clear_bit(home_of(slot, life), life >> FLOW_OFFSET_SHIFT & FLOW_OFFSET_MASK);
	if (life & FLOW_EXTENDED)
		end_extension(flow->partner, now);
	make_dead(flow, life, now);
}

/* A connection that came by this template is over. */
static __always_inline void release_template(__u32 slot)
{
	struct flow *flow = flow_at(slot);
	struct lease *lease = flow ? lease_of(flow, flow->control) : NULL;

	if (lease)
		__sync_fetch_and_add(&lease->controlled, -1);
}

/*
 * Ends a connection, or a closed template, if its life is still what the caller judged it by: another CPU's packet in between keeps it. Returns 1
 * when this call ended it.
 */
__noinline int end_connection(__u32 slot, __u64 life)
{
	struct flow *flow = flow_at(slot);
	__u32 now = jiffies(), control = life, partner, controller;

	if (!flow || flow_kind(control) != FLOW_LIVE)
		return 0;
	if (__sync_val_compare_and_swap(&flow->life, life, (life & ~(__u64)FLOW_KIND_MASK) | FLOW_DYING) != life)
		return 0;
	clear_bit(home_of(slot, control), control >> FLOW_OFFSET_SHIFT & FLOW_OFFSET_MASK);
	partner = partner_of(flow, control);
	controller = controller_of(flow, control);
	if (is_template(flow, control)) {
		count_template(flow->destination, -1);
		if (has_call_id(flow, control))
			forget_call_id(slot);
	} else {
		uncount_connection(flow->destination, control & FLOW_INACTIVE);
	}
	if (control & FLOW_FTP)
		forget_session(slot);
	if (control & FLOW_EXTENDED)
		end_extension(flow->partner, now);
	make_dead(flow, control, now);
	if (controller != NO_SLOT)
		release_template(controller);
	if (partner != NO_PARTNER)
		unlink_reply(partner, now);
	return 1;
}

/* Does an entry with this key, whose packets become that, need an extension? */
static __always_inline bool is_extended(enum family family, enum family new_family, bool is_translated,
					__u32 controller)
{
	if (family == FAMILY_4)
		return is_translated && new_family == FAMILY_6;
	return is_translated || controller != NO_SLOT;
}

static __always_inline __u32 family_bit(enum family family)
{
	return family == FAMILY_6 ? FLOW_SIX : 0;
}

/* A full barrier: whoever sees this kind sees the fields written before. */
static __always_inline void set_life(struct flow *flow, __u32 now, __u32 control)
{
	__sync_lock_test_and_set(&flow->life, (__u64)now << 32 | (flow->control & ~FLOW_BELOW_GENERATION) | control);
}

static __always_inline void fill_extension(__u32 slot, const struct tuple *key, const struct tuple *becomes,
					   __u32 partner, __u32 controller, __u32 now)
{
	struct flow *extension = flow_at(slot);

	if (!extension)
		return;
	extension->partner = partner;
	extension->destination = controller;
	extension->new.addresses = becomes->addresses;
	extension->new.ports = becomes->ports;
	extension->new.address_difference = fold(address_difference(&key->addresses, &becomes->addresses));
	extension->new.port_difference = fold(difference(key->ports, becomes->ports));
	set_life(extension, now, FLOW_EXTENSION | family_bit(becomes->family));
}

static __always_inline void compute_differences(struct new_flow *new)
{
	__u64 old = new->key.addresses.word[0], becomes = new->new.addresses.word[0];

	new->address_difference = fold(difference(old, becomes) + difference(old >> 32, becomes >> 32));
	new->port_difference = fold(difference(new->key.ports, new->new.ports));
}

static __always_inline void fill_four(struct flow *flow, const struct tuple *key, const struct tuple *becomes,
				      __u32 controller)
{
	flow->addresses = key->addresses.word[0];
	flow->ports = key->ports;
	flow->new_addresses = becomes->addresses.word[0];
	flow->new_ports = becomes->ports;
	flow->controller = controller;
}

/* `turned`: 0, or 0xffff for a reply, whose differences are the other way round. */
static __always_inline void fill_differences(struct flow *flow, const struct new_flow *new, __u16 turned)
{
	__u16 addresses = new->address_difference ^ turned, ports = new->port_difference ^ turned;
	__u32 whole = (__u32)addresses + ports;

	flow->address_difference = addresses;
	flow->port_difference = ports;
	flow->whole_difference = (whole & 0xffff) + (whole >> 16);
}

/* One direction of a connection, FLOW_LIVE or FLOW_REPLY, or a template, into a claimed slot. `family`: of its key. */
static __always_inline void fill(struct new_flow *new, enum family family, const struct place *place, __u32 kind,
				 __u32 partner, bool is_inactive)
{
	bool is_reply = kind == FLOW_REPLY;
	struct flow *flow = entry_at(family, place);
	const struct tuple *key, *becomes;
	__u32 controller, state, control;
	struct lease *lease;

	if (!flow)
		return;
	key = is_reply ? &new->reply : &new->key;
	becomes = is_reply ? &new->back : &new->new;
	controller = is_reply ? NO_SLOT : new->controller;
	state = new->state;
	/* So that the first reply goes the long way, and tells the template. Neither state is active. */
	if (is_reply && state == STATE_UDP && new->controller != NO_SLOT)
		state = STATE_NONE;
	control = (flow->control & FLOW_OFFSET_MASK << FLOW_OFFSET_SHIFT) | kind | state << FLOW_STATE_SHIFT |
		  new->method << FLOW_METHOD_SHIFT | family_bit(family) | new->own | new->ftp;
	flow->destination = new->destination;
	flow->partner = partner;
	if (place->extension != NO_SLOT) {
		fill_extension(place->extension, key, becomes, partner, controller, new->now);
		flow->partner = place->extension;
		control |= FLOW_EXTENDED;
	}
	if (family == FAMILY_4) {
		fill_four(flow, key, becomes, controller);
		if (new->has_reply)
			fill_differences(flow, new, is_reply ? 0xffff : 0);
	} else {
		flow->six.addresses = key->addresses;
		flow->six.ports = key->ports;
	}
	lease = new->template_s ? lease_of(flow, control) : NULL;
	if (lease) {
		lease->timeout_s = new->template_s;
		lease->controlled = 1; /* whoever makes it holds it */
	} else if (is_inactive) {
		control |= FLOW_INACTIVE;
	}
	set_life(flow, new->now, control);
}

/* The bit that makes sweeps look at this slot's page. Set after the entry is live, since a sweep clears it before it looks. */
static __always_inline void mark_page(__u32 slot)
{
	__u32 page = slot / SLOTS_PER_PAGE, word = page / PAGES_PER_WORD;
	__u64 *pages = bpf_map_lookup_elem(&flow_pages, &word), bit = 1ULL << page % PAGES_PER_WORD;

	if (pages && !(READ_ONCE(*pages) & bit))
		__sync_fetch_and_or(pages, bit);
}

static __always_inline void count_entry(const struct new_flow *new, bool is_inactive)
{
	if (new->template_s)
		count_template(new->destination, 1);
	else
		count_connection(new->destination, is_inactive);
}

static __always_inline void uncount_entry(const struct new_flow *new, bool is_inactive)
{
	if (new->template_s)
		count_template(new->destination, -1);
	else
		uncount_connection(new->destination, is_inactive);
}

static __always_inline bool is_equal(const struct addresses *a, const struct addresses *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

/* Is the reply entry at `slot` of the very connection that is being inserted, by another CPU? */
static __always_inline bool is_own_reply(__u32 slot, const struct tuple *becomes)
{
	struct flow *flow = flow_at(slot), *extension;

	if (!flow)
		return false;
	extension = extension_of(flow, flow->control);
	if (extension)
		return is_equal(&extension->new.addresses, &becomes->addresses) &&
		       extension->new.ports == (__u32)becomes->ports;
	return flow->new_addresses == becomes->addresses.word[0] && flow->new_ports == (__u32)becomes->ports;
}

/*
 * Takes an entry back that could not be linked. A sweep may have seen it: it rests like any that ended. False when the sweep
 * has ended it.
 */
static __always_inline bool withdraw(const struct place *place, __u32 now)
{
	struct flow *flow = flow_at(place->slot);
	__u64 life;

	if (!flow)
		return true;
	life = READ_ONCE(flow->life);
	if (flow_kind(life) != FLOW_LIVE ||
	    __sync_val_compare_and_swap(&flow->life, life, (life & ~(__u64)FLOW_KIND_MASK) | FLOW_DYING) != life)
		return false;
	if (place->extension != NO_SLOT)
		end_extension(place->extension, now);
	make_dead(flow, life, now);
	return true;
}

/* A window may be full because another CPU has just entered this very connection. */
static __always_inline enum insertion no_room(struct new_flow *new)
{
	new->slot = find_tuple(&new->key);
	return new->slot != NO_SLOT ? EXISTS : NO_ROOM;
}

/* `family`: of the client's packets; `new_family`: of what they become. */
static __always_inline int insert(struct new_flow *new, enum family family, enum family new_family)
{
	bool is_inactive = !is_active(new->state);
	struct place place, reply;
	__u32 linked;

	new->is_entered = 0;
	if (!claim(&place, family, new->home,
		   is_extended(family, new_family, new->has_reply || new->template_s, new->controller), new->now))
		return no_room(new);
	reply.slot = NO_PARTNER;
	if (new->has_reply) {
		if (family == FAMILY_4 && new_family == FAMILY_4)
			compute_differences(new);
		turn(family, &new->back, &new->key);
		if (!claim(&reply, new_family, tuple_home(new_family, &new->reply),
			   is_extended(new_family, family, true, NO_SLOT), new->now)) {
			give_back(&place);
			return no_room(new);
		}
		fill(new, new_family, &reply, FLOW_REPLY, place.slot, is_inactive);
		linked = link_entry(new_family, &reply, &new->reply);
		if (linked != LINKED) {
			give_back(&reply);
			give_back(&place);
			if (linked == NOT_LINKED)
				return NO_ROOM;
			return is_own_reply(linked, &new->back) ? EXISTS : TUPLE_TAKEN;
		}
	}
	/* Counted before it is linked: once linked, it may end, and be uncounted, on another CPU. */
	count_entry(new, is_inactive);
	fill(new, family, &place, FLOW_LIVE, reply.slot, is_inactive);
	linked = link_entry(family, &place, &new->key);
	if (linked == LINKED) {
		mark_page(place.slot);
		new->slot = place.slot;
		new->is_entered = 1;
		return INSERTED;
	}
	if (withdraw(&place, new->now))
		uncount_entry(new, is_inactive);
	else
		new->is_entered = 1; /* and let go of its template when it ended */
	if (reply.slot != NO_PARTNER)
		unlink_reply(reply.slot, new->now);
	new->slot = linked;
	return linked == NOT_LINKED ? NO_ROOM : EXISTS;
}

__noinline int insert_four(struct new_flow *new)
{
	return new ? insert(new, FAMILY_4, FAMILY_4) : NO_ROOM;
}

__noinline int insert_six(struct new_flow *new)
{
	return new ? insert(new, FAMILY_6, FAMILY_6) : NO_ROOM;
}

__noinline int insert_four_to_six(struct new_flow *new)
{
	return new ? insert(new, FAMILY_4, FAMILY_6) : NO_ROOM;
}

__noinline int insert_six_to_four(struct new_flow *new)
{
	return new ? insert(new, FAMILY_6, FAMILY_4) : NO_ROOM;
}

/* Enters a connection, with its reply entry if it has one, whole or not at all. `new_family`: of the real server's side. */
static __always_inline int insert_connection(enum family family, enum family new_family, struct new_flow *new)
{
	if (family != new_family)
		return family == FAMILY_4 ? insert_four_to_six(new) : insert_six_to_four(new);
	return family == FAMILY_4 ? insert_four(new) : insert_six(new);
}
