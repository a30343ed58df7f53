/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* fo, ovf and twos: by weight, by weight as long as there is room, and the better of two that are drawn by weight. */
#pragma once

#include "schedule.h"

struct heaviest {
	__u32 members;
	__u32 has_thresholds;
	__u32 is_overflow;
	__s32 weight;
	__u32 chosen;
};

/* The first in the list, the newest, keeps a tie. ovf: one more than the weight is taken. */
static long heaviest_step(__u32 index, void *context)
{
	struct heaviest *heaviest = context;
	struct member *member = member_at(heaviest->members + index);
	struct destination *destination;

	if (!member)
		return 1;
	if (member->weight <= heaviest->weight || !takes(member, heaviest->has_thresholds))
		return 0;
	if (heaviest->is_overflow) {
		destination = destination_at(member->destination);
		if (!destination || READ_ONCE(destination->active) > member->weight)
			return 0;
	}
	heaviest->weight = member->weight;
	heaviest->chosen = index;
	return 0;
}

static __always_inline __u32 pick_heaviest(const struct choice *choice, bool is_overflow)
{
	struct heaviest heaviest = {
		.members = choice->service.members,
		.has_thresholds = thresholds_of(choice),
		.is_overflow = is_overflow,
		.chosen = NO_DESTINATION,
	};

	bpf_loop(choice->service.member_count, heaviest_step, &heaviest, 0);
	return heaviest.chosen;
}

/* -- twos (ip_vs_twos.c) -- */

struct drawn {
	__s64 left; /* of the number that was drawn: whoever takes it to 0 is chosen */
	__u32 position;
	__s32 weight;
	__s64 load;
};

struct two {
	__u32 members;
	__u32 has_thresholds;
	__u64 total;
	struct drawn drawn[2];
};

static long total_step(__u32 index, void *context)
{
	struct two *two = context;
	struct member *member = member_at(two->members + index);

	if (!member)
		return 1;
	if (takes(member, two->has_thresholds))
		two->total += member->weight;
	return 0;
}

static __always_inline void count_down(struct drawn *drawn, __u32 index, const struct member *member)
{
	struct destination *destination;

	if (drawn->position != NO_DESTINATION)
		return;
	drawn->left -= member->weight;
	if (drawn->left > 0)
		return;
	destination = destination_at(member->destination);
	if (!destination)
		return;
	drawn->position = index;
	drawn->weight = member->weight;
	drawn->load = load_of(destination, SCHEDULER_TWOS);
}

static long draw_step(__u32 index, void *context)
{
	struct two *two = context;
	struct member *member = member_at(two->members + index);

	if (!member)
		return 1;
	if (!takes(member, two->has_thresholds))
		return 0;
	count_down(&two->drawn[0], index, member);
	count_down(&two->drawn[1], index, member);
	return 0;
}

static __always_inline __u64 random_below(__u64 limit)
{
	return ((__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32()) % limit;
}

static __always_inline __u32 pick_two(const struct choice *choice)
{
	struct two two = {
		.members = choice->service.members,
		.has_thresholds = thresholds_of(choice),
		.drawn = {{.position = NO_DESTINATION}, {.position = NO_DESTINATION}},
	};
	const struct drawn *first = &two.drawn[0], *second = &two.drawn[1];

	bpf_loop(choice->service.member_count, total_step, &two, 0);
	if (two.total == 0)
		return NO_DESTINATION;
	/* From 0 to the total, both included: 0 too is the first one's. */
	two.drawn[0].left = random_below(two.total + 1);
	two.drawn[1].left = random_below(two.total + 1);
	bpf_loop(choice->service.member_count, draw_step, &two, 0);
	if (second->position != NO_DESTINATION && second->weight * first->load > first->weight * second->load)
		return second->position;
	return first->position;
}

/* Apart from schedule(), for the stack. */
__noinline int schedule_by_weight(struct choice *choice)
{
	if (!choice)
		return 0;
	if (choice->service.scheduler == SCHEDULER_TWOS)
		return answer(choice, pick_two(choice));
	return answer(choice, pick_heaviest(choice, choice->service.scheduler == SCHEDULER_OVF));
}
