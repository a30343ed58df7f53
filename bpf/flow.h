/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Finding a packet's entry in the connection table: one cache line for most packets. */
#pragma once

#include "maps.h"

/*
 * Of two halves the product, each with a secret added: NH of UMAC (RFC 4418, 5.2). Sums of such collide for any two inputs by
 * a chance of 2^-32, and need not wait for one another.
 */
static __always_inline __u64 hash_pair(__u64 word, __u64 key)
{
	return (__u64)((__u32)word + (__u32)key) * (__u32)((word >> 32) + (key >> 32));
}

static __always_inline __u64 hash_six(const struct addresses *addresses)
{
	__u64 hash = 0;

	for (int i = 0; i < 4; i++)
		hash += hash_pair(addresses->word[i], config.pair_keys[i]);
	return hash;
}

static __always_inline __u64 hash_addresses(enum family family, const struct addresses *addresses)
{
	__u64 hash;

	if (family == FAMILY_6 && config.pair_keys[0])
		return hash_six(addresses);
	hash = (addresses->word[0] ^ config.hash_seed[0]) * 0x9e3779b97f4a7c15ULL;
	hash ^= hash >> 32;
	if (family == FAMILY_6) { /* in a table that an earlier build has made */
		for (int i = 1; i < 4; i++) {
			hash = (hash ^ addresses->word[i]) * 0x9e3779b97f4a7c15ULL;
			hash ^= hash >> 32;
		}
	}
	return hash;
}

/* Keyed by a secret, so that nobody outside can aim many connections at one home. Its high half is the good one. */
static __always_inline __u64 flow_hash(enum family family, const struct addresses *addresses, __u64 ports)
{
	return (hash_addresses(family, addresses) ^ ports ^ config.hash_seed[1]) * 0xd6e8feb86659fd93ULL;
}

/* Scales to the table: its size need not be a power of two. */
static __always_inline __u32 home_by(__u64 hash)
{
	return (hash >> 32) * config.flow_slots >> 32;
}

static __always_inline __u32 flow_home(enum family family, const struct addresses *addresses, __u64 ports)
{
	return home_by(flow_hash(family, addresses, ports));
}

/* The slot of a home's entry at offset j. Triangular numbers spread better than a run: far fewer windows fill up. */
static __always_inline __u32 window_slot(__u32 home, __u32 j)
{
	__u32 slot = home + j * (j + 1) / 2;

	return slot >= config.flow_slots ? slot - config.flow_slots : slot;
}

/* The home of the entry in a slot, by the offset that its control word tells: of a parked template the key no longer says. */
static __always_inline __u32 home_of(__u32 slot, __u32 control)
{
	__u32 j = control >> FLOW_OFFSET_SHIFT & FLOW_OFFSET_MASK, distance = j * (j + 1) / 2;

	return slot >= distance ? slot - distance : slot + config.flow_slots - distance;
}

/* Lowest set bit's number, without a branch: each would double the verifier's paths. */
static __always_inline __u32 lowest_bit(__u32 bits)
{
	__u32 below = ~bits & (bits - 1);

	asm volatile("" : "+r"(below)); /* or clang makes a count-trailing-zeros of it, which it can't emit for BPF */
	return __builtin_popcount(below);
}

static __always_inline enum family other_family(enum family family)
{
	return family == FAMILY_4 ? FAMILY_6 : FAMILY_4;
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

/* masq and fullnat where the real server is of the client's family. */
static __always_inline bool translates_within(__u32 method)
{
	enum {
		ALL_OTHERS = METHOD_TUNNEL & METHOD_GATE & METHOD_CROSS
	};

	_Static_assert(ALL_OTHERS != 0 && ((METHOD_MASQ | METHOD_FULLNAT) & ALL_OTHERS) == 0, "one bit tells");
	return !(method & ALL_OTHERS);
}

/* masq and fullnat. */
static __always_inline bool translates(__u32 method)
{
	return translates_within(method) || method == METHOD_CROSS;
}

/* Do packets leave longer or shorter than they came? */
static __always_inline bool changes_length(__u32 method)
{
	_Static_assert((METHOD_CROSS & METHOD_LENGTH_MASK) == METHOD_TUNNEL, "one comparison tells both");
	return (method & METHOD_LENGTH_MASK) == METHOD_TUNNEL;
}

/* Which packets the director sees: masq and fullnat see both directions, gate and tunnel only the client's. */
enum direction {
	DIRECTION_IN,
	DIRECTION_OUT,
	DIRECTION_IN_ONLY,
	DIRECTIONS,
};

/* FLOW_LIVE or FLOW_REPLY. */
static __always_inline bool is_linked(__u32 control)
{
	_Static_assert((FLOW_LIVE ^ FLOW_REPLY) == 1 && !(FLOW_LIVE & 1), "the two differ in the lowest bit");
	return (control & (FLOW_KIND_MASK & ~1)) == FLOW_LIVE;
}

/* Linked, and of this family. */
static __always_inline bool is_linked_as(enum family family, __u32 control)
{
	return (control & ((FLOW_KIND_MASK & ~1) | FLOW_SIX)) == (FLOW_LIVE | (family == FAMILY_6 ? FLOW_SIX : 0));
}

static __always_inline bool flow_is(enum family family, struct flow *flow, const struct addresses *addresses,
				    __u64 ports)
{
	if (family == FAMILY_4)
		return flow->addresses == addresses->word[0] && flow->ports == ports &&
		       is_linked_as(family, READ_ONCE(flow->control));
	return flow->six.ports == ports && flow->six.addresses.word[1] == addresses->word[1] &&
	       flow->six.addresses.word[0] == addresses->word[0] && flow->six.addresses.word[3] == addresses->word[3] &&
	       flow->six.addresses.word[2] == addresses->word[2] && is_linked_as(family, READ_ONCE(flow->control));
}

/* The slot of the entry with this key among those that `window` (a home's bits) names, or NO_SLOT. */
__noinline __u32 search_window(__u32 home, __u32 window, __u64 word, __u64 ports)
{
	struct addresses addresses = {.word = {word}};

	for (int i = 0; i < FLOW_WINDOW && window; i++) {
		__u32 slot = window_slot(home, lowest_bit(window));
		struct flow *flow = flow_at(slot);

		if (flow && flow_is(FAMILY_4, flow, &addresses, ports))
			return slot;
		window &= window - 1;
	}
	return NO_SLOT;
}

__noinline __u32 search_window_six(__u32 home, __u32 window, const struct tuple *key)
{
	for (int i = 0; key && i < FLOW_WINDOW && window; i++) {
		__u32 slot = window_slot(home, lowest_bit(window));
		struct flow *flow = flow_at(slot);

		if (flow && flow_is(FAMILY_6, flow, &key->addresses, key->ports))
			return slot;
		window &= window - 1;
	}
	return NO_SLOT;
}

static __always_inline enum six six_served(void)
{
	const struct settings *set = live_settings();

	return set ? READ_ONCE(set->serves_six) : SIX_NONE;
}

/* Reads a line that may be needed, so that nobody waits for it later. */
static __always_inline void fetch(__u32 slot)
{
	struct flow *flow = flow_at(slot);

	if (flow)
		(void)READ_ONCE(flow->control);
}

/* `hash`: flow_hash() of the rest. */
static __always_inline struct flow *find_flow_by(__u64 hash, enum family family, const struct addresses *addresses,
						 __u64 ports, __u32 *slot)
{
	__u32 home = home_by(hash), window;
	struct flow *flow = flow_at(home);

	if (!flow)
		return NULL;
	if (family == FAMILY_6 && six_served() == SIX_TRANSLATED)
		fetch(home ^ 1); /* where its extension most likely is: memory brings both at once */
	window = READ_ONCE(flow->home);
	*slot = home;
	if (window & 1 && flow_is(family, flow, addresses, ports))
		return flow;
	window &= ~1U;
	if (!window)
		return NULL;
	if (family == FAMILY_4) {
		*slot = search_window(home, window, addresses->word[0], ports);
	} else {
		struct tuple key = {.addresses = *addresses, .ports = ports, .family = FAMILY_6};

		*slot = search_window_six(home, window, &key);
	}
	return flow_at(*slot);
}

static __always_inline struct flow *find_flow(enum family family, const struct addresses *addresses, __u64 ports,
					      __u32 *slot)
{
	return find_flow_by(flow_hash(family, addresses, ports), family, addresses, ports, slot);
}

/* What holds the rest of an entry that has no room for it, or NULL. */
static __always_inline struct flow *extension_of(const struct flow *flow, __u32 control)
{
	return control & FLOW_EXTENDED ? flow_at(flow->partner) : NULL;
}

/* The slot of the other direction, or NO_PARTNER. */
static __always_inline __u32 partner_of(const struct flow *flow, __u32 control)
{
	const struct flow *extension = extension_of(flow, control);

	return extension ? extension->partner : flow->partner;
}

/* What is beside the key of a template, and nowhere else. */
static __always_inline bool is_template(const struct flow *flow, __u32 control)
{
	return (control & FLOW_SIX ? flow->six.ports : flow->ports) >> TEMPLATE_BIT & 1;
}

/* Of a template: made by a service with --pe sip. */
static __always_inline bool has_call_id(const struct flow *flow, __u32 control)
{
	return (control & FLOW_SIX ? flow->six.ports : flow->ports) >> TEMPLATE_CALL_ID_BIT & 1;
}

/* Where a template keeps how long it lives; NULL never, but to the verifier. */
static __always_inline struct lease *lease_of(struct flow *flow, __u32 control)
{
	struct flow *extension;

	if (!(control & FLOW_SIX))
		return &flow->lease;
	extension = extension_of(flow, control);
	if (!extension)
		return NULL;
	asm volatile("" : "+r"(extension)); /* or clang adds before it compares, which the verifier refuses */
	return &extension->lease_six;
}

/* The slot of the template that a connection came by, or NO_SLOT. */
static __always_inline __u32 controller_of(const struct flow *flow, __u32 control)
{
	const struct flow *extension;

	if (!(control & FLOW_SIX))
		return flow->controller;
	extension = extension_of(flow, control);
	return extension ? extension->destination : NO_SLOT;
}

static __always_inline __u32 tuple_home(enum family family, const struct tuple *tuple)
{
	return family == FAMILY_6 ? flow_home(FAMILY_6, &tuple->addresses, tuple->ports)
				  : flow_home(FAMILY_4, &tuple->addresses, tuple->ports);
}

static __always_inline __u32 search_tuple(enum family family, __u32 home, __u32 window, const struct tuple *tuple)
{
	return family == FAMILY_6 ? search_window_six(home, window, tuple)
				  : search_window(home, window, tuple->addresses.word[0], tuple->ports);
}

/* As find_flow, for a family that is known only when it runs: where connections begin. The slot, or NO_SLOT. */
__noinline __u32 find_tuple(const struct tuple *tuple)
{
	struct flow *flow;
	__u32 home, window;

	if (!tuple)
		return NO_SLOT;
	home = tuple_home(tuple->family, tuple);
	flow = flow_at(home);
	window = flow ? READ_ONCE(flow->home) : 0;
	if (!window)
		return NO_SLOT;
	return search_tuple(tuple->family, home, window, tuple);
}

static __always_inline struct addresses swapped(enum family family, const struct addresses *addresses)
{
	struct addresses other = {};

	if (family == FAMILY_4) {
		other.word[0] = addresses->word[0] >> 32 | addresses->word[0] << 32;
		return other;
	}
	other.word[0] = addresses->word[2];
	other.word[1] = addresses->word[3];
	other.word[2] = addresses->word[0];
	other.word[3] = addresses->word[1];
	return other;
}

static __always_inline __u64 swap_ports(__u64 ports)
{
	__u32 both = ports;

	return (ports & ~0xffffffffULL) | (both >> 16 | both << 16);
}

/* IPv4's other words are left as they are: nobody reads them. */
static __always_inline void copy_addresses(enum family family, struct addresses *to, const struct addresses *from)
{
	to->word[0] = from->word[0];
	if (family == FAMILY_4)
		return;
	to->word[1] = from->word[1];
	to->word[2] = from->word[2];
	to->word[3] = from->word[3];
}

/* The same connection seen from the other end. */
static __always_inline void turn(enum family family, struct tuple *to, const struct tuple *from)
{
	struct addresses other = swapped(family, &from->addresses);

	copy_addresses(family, &to->addresses, &other);
	to->ports = swap_ports(from->ports);
	to->family = family;
}
