/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lblc and lblcr: the same destination address goes where it went before, so that caches behind a transparent proxy stay
 * warm, unless that real server is overloaded (ip_vs_lblc.c, ip_vs_lblcr.c). Included by schedule.h.
 */
#pragma once

/* -- is a destination overloaded: more active connections than its weight, while another has less than half of its own -- */

struct spare {
	struct choice *choice;
	__u32 found;
};

static long spare_step(__u32 index, void *context)
{
	struct spare *spare = context;

	spare->found = !(recall(spare->choice, index * BLOCK_MEMBERS, search_block) & BLOCK_BUSY);
	return spare->found;
}

static __always_inline bool is_overloaded(struct choice *choice, const struct destination *destination)
{
	struct spare spare = {.choice = choice};

	if ((__s64)READ_ONCE(destination->active) <= destination->weight)
		return false;
	choice->rules = choice->service.scheduler;
	bpf_loop(blocks_of(choice), spare_step, &spare, 0);
	return spare.found;
}

static __always_inline bool is_of(const struct choice *choice, const struct destination *destination)
{
	return destination->service == choice->service.id && destination->flags & DESTINATION_AVAILABLE;
}

/*
 * -- the set of lblcr; lblc's is a set of one --
 *
 * Changed where it lies. Two CPUs that change one set at once may lose one of the changes: the set is a hint about caches.
 */

struct extreme {
	const struct choice *choice;
	const struct locality *locality;
	__u32 most; /* 1: the most loaded for its weight; 0: the least */
	__u32 chosen; /* index into the set, or LOCALITY_SET */
	__s32 weight;
	__s64 load;
};

/* The least loaded must not be full either; the most loaded may (ip_vs_dest_set_min, ip_vs_dest_set_max). */
static long extreme_step(__u32 index, void *context)
{
	struct extreme *extreme = context;
	struct destination *destination;
	__s64 load, heavier, lighter;

	destination = destination_at(extreme->locality->destinations[index & (LOCALITY_SET - 1)]);
	if (!destination || destination->weight <= 0 || !is_of(extreme->choice, destination))
		return 0;
	if (!extreme->most && extreme->choice->service.scheduler == SCHEDULER_LBLCR &&
	    READ_ONCE(destination->overloaded))
		return 0;
	load = load_of(destination, SCHEDULER_WLC);
	heavier = load * extreme->weight;
	lighter = extreme->load * destination->weight;
	if (extreme->chosen == LOCALITY_SET || (extreme->most ? heavier > lighter : heavier < lighter)) {
		extreme->chosen = index;
		extreme->load = load;
		extreme->weight = destination->weight;
	}
	return 0;
}

static __always_inline __u32 extreme_of(const struct choice *choice, const struct locality *locality, bool most)
{
	struct extreme extreme = {
		.choice = choice,
		.locality = locality,
		.most = most,
		.chosen = LOCALITY_SET,
	};

	bpf_loop(locality->count < LOCALITY_SET ? locality->count : LOCALITY_SET, extreme_step, &extreme, 0);
	return extreme.chosen;
}

struct shift {
	struct locality *locality;
	__u32 start;
	__u32 sought; /* find_step: a destination */
	__u32 found;
};

static long close_gap_step(__u32 index, void *context)
{
	struct shift *shift = context;
	__u32 at = shift->start + index;

	shift->locality->destinations[at & (LOCALITY_SET - 1)] =
		shift->locality->destinations[(at + 1) & (LOCALITY_SET - 1)];
	return 0;
}

static long open_gap_step(__u32 index, void *context)
{
	struct shift *shift = context;
	__u32 at = shift->start - index;

	shift->locality->destinations[at & (LOCALITY_SET - 1)] =
		shift->locality->destinations[(at - 1) & (LOCALITY_SET - 1)];
	return 0;
}

static long find_step(__u32 index, void *context)
{
	struct shift *shift = context;

	shift->found = shift->locality->destinations[index & (LOCALITY_SET - 1)] == shift->sought;
	return shift->found;
}

static __always_inline void remove_from(struct locality *locality, __u32 index)
{
	struct shift shift = {.locality = locality, .start = index};

	if (index >= locality->count)
		return;
	bpf_loop(locality->count - 1 - index, close_gap_step, &shift, 0);
	locality->count--;
}

/* The newest goes first, as in the kernel's list; the oldest falls out of a full set. */
static __always_inline void add_to(struct locality *locality, __u32 destination, __u32 now)
{
	__u32 count = locality->count < LOCALITY_SET ? locality->count : LOCALITY_SET;
	struct shift shift = {.locality = locality, .sought = destination};

	bpf_loop(count, find_step, &shift, 0);
	if (shift.found)
		return;
	shift.start = count < LOCALITY_SET ? count : LOCALITY_SET - 1;
	bpf_loop(shift.start, open_gap_step, &shift, 0);
	locality->destinations[0] = destination;
	locality->count = shift.start + 1;
	locality->last_change = now;
}

/* Where the address went before, or NO_DESTINATION when that is gone, overloaded or long ago. */
static __always_inline __u32 pick_known(struct choice *choice, struct locality *locality, __u32 expiration)
{
	struct destination *destination;
	__u32 least, most, index;

	if (choice->now - locality->last_use >= expiration)
		return NO_DESTINATION;
	least = extreme_of(choice, locality, false);
	index = least < LOCALITY_SET ? locality->destinations[least & (LOCALITY_SET - 1)] : NO_DESTINATION;
	if (choice->commit) {
		locality->last_use = choice->now;
		if (locality->count > 1 && choice->now - locality->last_change > expiration) {
			most = extreme_of(choice, locality, true);
			if (most < LOCALITY_SET)
				remove_from(locality, most);
			locality->last_change = choice->now;
		}
	}
	destination = destination_at(index);
	return destination && !is_overloaded(choice, destination) ? index : NO_DESTINATION;
}

/* Too large for the stack of a program this deep in its calls. */
static const struct locality empty;

static __always_inline void remember(const struct choice *choice, const struct locality_key *key, __u32 destination)
{
	struct locality *locality = bpf_map_lookup_elem(&localities, key);

	if (!locality) {
		bpf_map_update_elem(&localities, key, &empty, BPF_NOEXIST);
		locality = bpf_map_lookup_elem(&localities, key);
		if (!locality)
			return;
	}
	if (choice->service.scheduler == SCHEDULER_LBLC)
		locality->count = 0;
	add_to(locality, destination, choice->now);
	locality->last_use = choice->now;
}

/* In seconds. */
static __always_inline __u32 expiration_of(const struct choice *choice, const struct settings *set)
{
	return choice->service.scheduler == SCHEDULER_LBLC ? set->lblc_expiration : set->lblcr_expiration;
}

/* As schedule(). */
static __always_inline int pick_locality(struct choice *choice)
{
	struct locality_key key = {};
	struct settings *set = live_settings();
	struct destination *destination;
	struct locality *known;
	__u32 index;

	if (!set)
		return 0;
	key.service = choice->service.id;
	key.address = choice->target;
	known = bpf_map_lookup_elem(&localities, &key);
	index = known ? pick_known(choice, known, expiration_of(choice, set) * set->hz) : NO_DESTINATION;
	destination = destination_at(index);
	if (destination) {
		choice->destination = index;
		choice->method = destination->method;
		return 1;
	}
	if (!answer(choice, pick_least(choice)))
		return 0;
	if (choice->commit)
		remember(choice, &key, choice->destination);
	return 1;
}
