/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Choosing the real server for a new connection: IPVS's schedulers, with their order (newest destination first) and their
 * ties. A scheduler answers a position among the service's members, or NO_DESTINATION.
 */
#pragma once

#include "flow.h"
#include "load.h"
#include "service.h"

#define CURSOR_TRIES 4
#define LOAD_BEYOND (1LL << 62)

/* Schedulers by the way they choose, a bit for each: a switch would be a search. rr and wrr have a cursor, and none chooses nobody. */
static const __u32 by_load = 1U << SCHEDULER_LC | 1U << SCHEDULER_WLC | 1U << SCHEDULER_SED | 1U << SCHEDULER_NQ |
			     1U << SCHEDULER_FO | 1U << SCHEDULER_OVF;
static const __u32 by_bucket = 1U << SCHEDULER_SH | 1U << SCHEDULER_DH | 1U << SCHEDULER_MH;
static const __u32 by_locality = 1U << SCHEDULER_LBLC | 1U << SCHEDULER_LBLCR;
static const __u32 by_draw = 1U << SCHEDULER_TWOS;

static __always_inline bool is_one_of(__u32 scheduler, __u32 these)
{
	return these >> (scheduler & 31) & 1;
}

/*
 * lc, wlc, sed, nq: the least loaded of those that were compared; fo and ovf: the heaviest. In memory that the verifier does not
 * track: it would go through the loop with each of them as it may be.
 */
struct lightest {
	__u32 chosen;
	__s32 weight;
	__s64 load;
	__u32 busy; /* BLOCK_BUSY, or 0 */
	__u32 pad;
};

/* What a choice is made from, and its answer. */
struct choice {
	struct service service;
	struct service_key key; /* by which the service was found */
	struct address source;
	struct address target;
	__u32 now;
	__u32 commit; /* 0: only tell; no cursor moves */
	__u64 flow_hash;
	__u32 source_port; /* in host order */
	__u32 destination; /* answer */
	__u32 method;
	__u32 rules; /* its service's scheduler, where the verifier does not follow it */
	struct lightest lightest;
	struct lightest of_block;
};

static __always_inline struct member *member_of(const struct choice *choice, __u32 position)
{
	return position < choice->service.member_count ? member_at(choice->service.members + position) : NULL;
}

/* It has reached its upper threshold: IP_VS_DEST_F_OVERLOAD. */
static __always_inline bool is_full(__u32 destination)
{
	struct destination *found = destination_at(destination);

	return found && READ_ONCE(found->overloaded);
}

/* May it have a new connection? Thresholds are only asked for where the service has some. */
static __always_inline bool takes(const struct member *member, __u32 has_thresholds)
{
	return member->weight > 0 && !(has_thresholds && is_full(member->destination));
}

static __always_inline __u32 thresholds_of(const struct choice *choice)
{
	return choice->service.flags & SERVICE_THRESHOLDS;
}

/* -- rr and wrr: the next one from a cursor -- */

/*
 * A place is a position, or `count` itself: the list's end, where wrr lowers the bar. Each step's place comes from its number,
 * since a place kept from step to step would be a new state to the verifier each time.
 */
struct round {
	__u32 members;
	__u32 count;
	__u32 start; /* the place of step 0 */
	__s32 weight; /* wrr: cw, what a destination must have to be taken in this descent */
	__s32 max_weight;
	__s32 step;
	__u32 chosen;
	__u32 has_thresholds;
	__s32 best; /* wrr: the largest weight of those that take connections */
};

static __always_inline __u32 place_of(const struct round *round, __u32 index, __u32 places)
{
	return places ? (round->start + index) % places : 0;
}

static long rr_step(__u32 index, void *context)
{
	struct round *round = context;
	__u32 position = place_of(round, index, round->count);
	struct member *member = member_at(round->members + position);

	if (!member)
		return 1;
	if (!takes(member, round->has_thresholds))
		return 0;
	round->chosen = position;
	return 1;
}

static long best_step(__u32 index, void *context)
{
	struct round *round = context;
	struct member *member = member_at(round->members + index);

	if (!member)
		return 1;
	if (takes(member, round->has_thresholds) && member->weight > round->best)
		round->best = member->weight;
	return 0;
}

/* Unsigned: BPF has no signed division. */
static __always_inline __s32 up_to_multiple(__u32 value, __u32 of)
{
	return of ? (value + of - 1) / of * of : value;
}

/* ip_vs_wrr.c: walk the list; at its end lower the bar by the weights' gcd; take whoever reaches it. */
static long wrr_step(__u32 index, void *context)
{
	struct round *round = context;
	__u32 place = place_of(round, index, round->count + 1);
	struct member *member;

	if (place >= round->count) {
		round->weight -= round->step;
		if (round->weight <= 0)
			round->weight = round->max_weight;
		/* At once to where somebody is: the heaviest may be overloaded, and the next far below. */
		if (round->weight > round->best)
			round->weight -= up_to_multiple(round->weight - round->best, round->step);
		return 0;
	}
	member = member_at(round->members + place);
	if (!member)
		return 1;
	if (member->weight < round->weight || !takes(member, round->has_thresholds))
		return 0;
	round->chosen = place;
	return 1;
}

static __always_inline __u32 pick_round(const struct choice *choice, bool weighted)
{
	const struct service *service = &choice->service;
	__u32 id = service->id;
	__u64 *cursor = bpf_map_lookup_elem(&cursors, &id);
	struct round round = {};

	if (!cursor || (weighted && service->max_weight <= 0))
		return NO_DESTINATION;
	round.members = service->members;
	round.count = service->member_count;
	round.max_weight = service->max_weight;
	round.step = service->weight_step > 0 ? service->weight_step : 1;
	round.has_thresholds = thresholds_of(choice);
	round.best = service->max_weight;
	if (weighted && round.has_thresholds) {
		round.best = 0;
		bpf_loop(round.count, best_step, &round, 0);
	}
	for (int i = 0; i < CURSOR_TRIES; i++) {
		__u64 seen = READ_ONCE(*cursor), moved;

		round.start = seen; /* one past the last chosen */
		round.weight = seen >> 32;
		round.chosen = NO_DESTINATION;
		if (weighted)
			bpf_loop(2 * round.count + 2, wrr_step, &round, 0);
		else
			bpf_loop(round.count, rr_step, &round, 0);
		if (!choice->commit)
			break;
		moved = (round.chosen + 1) | (__u64)(__u32)round.weight << 32;
		if (round.chosen == NO_DESTINATION) {
			/* All are full. Where ip_vs_wrr.c stops its search: where it began, or at the head. */
			if (!weighted || ((__s32)(seen >> 32) <= round.step && (__u32)seen))
				break;
			moved = (__u64)(__u32)round.max_weight << 32;
		}
		if (__sync_val_compare_and_swap(cursor, seen, moved) == seen)
			break;
	}
	return round.chosen;
}

/* -- lc, wlc, sed, nq: the least loaded for its weight; fo: the heaviest; ovf: the heaviest that has room -- */

static __always_inline __s64 load_of(const struct destination *destination, __u32 scheduler)
{
	if (scheduler == SCHEDULER_SED || scheduler == SCHEDULER_NQ)
		return (__s64)READ_ONCE(destination->active) + 1;
	return (__s64)READ_ONCE(destination->active) * 256 + READ_ONCE(destination->inactive);
}

/* Strictly: the first in the list, the newest, keeps a tie. lc does not weigh, fo and ovf nothing else. */
static __always_inline bool is_lighter(__s64 load, __s32 weight, __s64 than, __s32 than_weight, __u32 scheduler)
{
	if (scheduler == SCHEDULER_LC)
		return load < than;
	if (scheduler == SCHEDULER_FO || scheduler == SCHEDULER_OVF)
		return weight > than_weight;
	return load * than_weight < than * weight;
}

static __always_inline bool is_by_locality(__u32 scheduler)
{
	return is_one_of(scheduler, by_locality);
}

/* ovf takes one more than the weight. */
static __always_inline bool has_overflown(const struct member *member, const struct destination *destination,
					  __u32 scheduler)
{
	return scheduler == SCHEDULER_OVF && READ_ONCE(destination->active) > member->weight;
}

/* Nobody yet: whoever comes is lighter. Nobody's load is that of lc, and of the others everybody's weight is more. */
static __always_inline void begin_comparison(struct lightest *lightest, __u32 scheduler)
{
	lightest->chosen = NO_DESTINATION;
	lightest->load = scheduler == SCHEDULER_LC ? LOAD_BEYOND : 1;
	lightest->weight = 0;
}

/* Takes the member into the comparison, by the rules of this scheduler. 1: no other is to be looked at. */
static __always_inline long compare_load(const struct choice *choice, struct lightest *lightest, __u32 index,
					 __u32 scheduler)
{
	struct member *member = member_at(choice->service.members + index);
	struct destination *destination;
	__s64 load;

	if (!member)
		return 1;
	if (member->weight <= 0)
		return 0;
	destination = destination_at(member->destination);
	if (!destination)
		return 0;
	if (is_by_locality(scheduler) && (__s64)READ_ONCE(destination->active) * 2 < member->weight)
		lightest->busy = 0;
	if (READ_ONCE(destination->overloaded) || has_overflown(member, destination, scheduler))
		return 0;
	load = load_of(destination, scheduler);
	if (scheduler == SCHEDULER_NQ && READ_ONCE(destination->active) == 0) {
		lightest->chosen = index;
		return 1;
	}
	if (is_lighter(load, member->weight, lightest->load, lightest->weight, scheduler)) {
		lightest->chosen = index;
		lightest->load = load;
		lightest->weight = member->weight;
	}
	return 0;
}

/* The lightest of the block that begins there, as it is remembered. Each alone: a callback for each would cost a call. */
static __always_inline __u32 search(struct choice *choice, __u32 first, __u32 scheduler)
{
	struct lightest *lightest = &choice->of_block;

	begin_comparison(lightest, scheduler);
	lightest->busy = is_by_locality(scheduler) ? BLOCK_BUSY : 0;
	for (__u32 i = 0; i < BLOCK_MEMBERS && first + i < choice->service.member_count; i++) {
		if (compare_load(choice, lightest, first + i, scheduler))
			break;
	}
	if (lightest->chosen == NO_DESTINATION)
		return BLOCK_NOBODY | lightest->busy;
	return (lightest->chosen - first + BLOCK_FIRST) | lightest->busy;
}

__noinline __u32 search_block(struct choice *choice, __u32 first)
{
	return choice ? search(choice, first, READ_ONCE(choice->rules)) : BLOCK_NOBODY;
}

/* The only block of what most services are: of ipvsadm's own scheduler. Nobody is asked for rules at each member. */
__noinline __u32 search_by_wlc(struct choice *choice)
{
	return choice ? search(choice, 0, SCHEDULER_WLC) : BLOCK_NOBODY;
}

/*
 * What `look` tells of the block, remembered. The mark that says who is looking is a new one each time: a load that changes takes
 * it away, and what was found may then be wrong. A service's only block is looked through each time.
 */
static __always_inline __u32 recall(struct choice *choice, __u32 first, __u32 (*look)(struct choice *, __u32))
{
	struct member *head;
	__u32 told, mark, found;

	if (choice->service.member_count <= BLOCK_MEMBERS)
		return look(choice, first);
	head = member_at(choice->service.members + first);
	if (!head)
		return BLOCK_NOBODY;
	told = READ_ONCE(head->lightest);
	if (told != BLOCK_CHANGED && told < BLOCK_ASKED)
		return told;
	mark = bpf_get_prandom_u32() | BLOCK_ASKED;
	if (told == BLOCK_CHANGED)
		told = __sync_val_compare_and_swap(&head->lightest, BLOCK_CHANGED, mark);
	found = look(choice, first);
	if (told == BLOCK_CHANGED)
		__sync_val_compare_and_swap(&head->lightest, mark, found);
	return found;
}

static __always_inline __u32 blocks_of(const struct choice *choice)
{
	return (choice->service.member_count + BLOCK_MEMBERS - 1) / BLOCK_MEMBERS;
}

/* A block's lightest, as it is remembered, as a position. */
static __always_inline __u32 position_told(__u32 told, __u32 first)
{
	told &= ~BLOCK_BUSY;
	return told < BLOCK_FIRST ? NO_DESTINATION : first + told - BLOCK_FIRST;
}

struct least {
	struct choice *choice;
};

static long block_step(__u32 index, void *context)
{
	struct choice *choice = ((struct least *)context)->choice;
	__u32 first = index * BLOCK_MEMBERS;
	__u32 position = position_told(recall(choice, first, search_block), first);

	return position == NO_DESTINATION ? 0
					  : compare_load(choice, &choice->lightest, position, READ_ONCE(choice->rules));
}

static __always_inline __u32 pick_least(struct choice *choice)
{
	struct least least = {.choice = choice};

	choice->rules = choice->service.scheduler;
	if (choice->service.member_count <= BLOCK_MEMBERS)
		return position_told(search_block(choice, 0), 0);
	begin_comparison(&choice->lightest, choice->rules);
	bpf_loop(blocks_of(choice), block_step, &least, 0);
	return choice->lightest.chosen;
}

/* -- when the table is full: the same answer for a connection's every packet, without an entry -- */

struct rendezvous {
	__u32 members;
	__u32 chosen;
	__u64 flow_hash;
	__u64 best;
	__u32 has_thresholds;
};

static long rendezvous_step(__u32 index, void *context)
{
	struct rendezvous *rendezvous = context;
	struct member *member = member_at(rendezvous->members + index);
	__u64 score;

	if (!member)
		return 1;
	if (!takes(member, rendezvous->has_thresholds))
		return 0;
	score = (rendezvous->flow_hash ^ (member->destination + 1ULL) * 0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL;
	score ^= score >> 32;
	if (rendezvous->chosen == NO_DESTINATION || score > rendezvous->best) {
		rendezvous->chosen = index;
		rendezvous->best = score;
	}
	return 0;
}

/* Highest random weight: a change of the destinations moves only the connections of those that changed. */
static __always_inline __u32 pick_rendezvous(const struct choice *choice)
{
	struct rendezvous rendezvous = {
		.members = choice->service.members,
		.chosen = NO_DESTINATION,
		.flow_hash = choice->flow_hash,
	};

	bpf_loop(choice->service.member_count, rendezvous_step, &rendezvous, 0);
	return rendezvous.chosen;
}

/* Fills in the answer from a position among the members. */
static __always_inline int answer(struct choice *choice, __u32 position)
{
	struct member *member = member_of(choice, position);

	if (!member)
		return 0;
	choice->destination = member->destination;
	choice->method = member->method;
	return 1;
}

#include "bucket.h"
#include "locality.h"
#include "twos.h"

/* Apart from schedule(), not below it: the stack ends soon here. */
__noinline int schedule_by_locality(struct choice *choice)
{
	return choice ? pick_locality(choice) : 0;
}

/* 1 and the choice's destination and method, or 0: no destination can take it. */
__noinline int schedule(struct choice *choice)
{
	if (!choice)
		return 0;
	if (is_one_of(choice->service.scheduler, by_load))
		return answer(choice, pick_least(choice));
	if (choice->service.scheduler == SCHEDULER_RR)
		return answer(choice, pick_round(choice, false));
	if (choice->service.scheduler == SCHEDULER_WRR)
		return answer(choice, pick_round(choice, true));
	return 0;
}

__noinline int schedule_stateless(struct choice *choice)
{
	if (!choice || choice->service.scheduler == SCHEDULER_NONE)
		return 0;
	return answer(choice, pick_rendezvous(choice));
}

static __always_inline int choose(struct choice *choice)
{
	__u32 scheduler = choice->service.scheduler;

	if (scheduler == SCHEDULER_WLC && choice->service.member_count <= BLOCK_MEMBERS)
		return answer(choice, position_told(search_by_wlc(choice), 0));
	if (!is_one_of(scheduler, by_bucket | by_locality | by_draw))
		return schedule(choice);
	if (is_one_of(scheduler, by_bucket))
		return schedule_by_bucket(choice);
	if (is_one_of(scheduler, by_locality))
		return schedule_by_locality(choice);
	return schedule_by_draw(choice);
}
