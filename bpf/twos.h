/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* twos: the less loaded of two that are drawn by weight (ip_vs_twos.c). Included by schedule.h. */
#pragma once

struct drawn {
	__s64 left; /* of the number that was drawn: whoever takes it to 0 is chosen */
	__u32 position;
	__s32 weight;
	__s64 load;
};

struct two {
	struct choice *choice;
	__u64 total;
	struct drawn drawn[2];
};

/* What the weights of those of the block that take connections come to, as it is remembered; BLOCK_CHANGED: it is too much for that. */
__noinline __u32 weigh_block(struct choice *choice, __u32 first)
{
	__s64 sum = 0;

	if (!choice)
		return BLOCK_CHANGED;
	for (__u32 i = 0; i < BLOCK_MEMBERS && first + i < choice->service.member_count; i++) {
		struct member *member = member_at(choice->service.members + first + i);

		if (member && takes(member, thresholds_of(choice)))
			sum += member->weight;
	}
	choice->of_block.load = sum;
	return sum < BLOCK_BUSY ? BLOCK_NOBODY + sum : BLOCK_CHANGED;
}

static __always_inline __s64 weight_of(struct choice *choice, __u32 first)
{
	__u32 told = recall(choice, first, weigh_block);

	return told == BLOCK_CHANGED ? choice->of_block.load : told - BLOCK_NOBODY;
}

static long total_step(__u32 index, void *context)
{
	struct two *two = context;

	two->total += weight_of(two->choice, index * BLOCK_MEMBERS);
	return 0;
}

__noinline int draw_from_block(struct choice *choice, struct drawn *drawn, __u32 first)
{
	if (!choice || !drawn)
		return 0;
	for (__u32 i = 0; i < BLOCK_MEMBERS && first + i < choice->service.member_count; i++) {
		struct member *member = member_at(choice->service.members + first + i);
		struct destination *destination;

		if (!member || !takes(member, thresholds_of(choice)))
			continue;
		drawn->left -= member->weight;
		destination = drawn->left > 0 ? NULL : destination_at(member->destination);
		if (!destination)
			continue;
		drawn->position = first + i;
		drawn->weight = member->weight;
		drawn->load = load_of(destination, SCHEDULER_TWOS);
		break;
	}
	return 0;
}

static long draw_step(__u32 index, void *context)
{
	struct two *two = context;
	__u32 first = index * BLOCK_MEMBERS;
	__s64 weight = weight_of(two->choice, first);

	for (int i = 0; i < 2; i++) {
		struct drawn *drawn = &two->drawn[i];

		if (drawn->position != NO_DESTINATION)
			continue;
		if (drawn->left > weight)
			drawn->left -= weight;
		else
			draw_from_block(two->choice, drawn, first);
	}
	return 0;
}

static __always_inline __u64 random_below(__u64 limit)
{
	return ((__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32()) % limit;
}

static __always_inline __u32 pick_two(struct choice *choice)
{
	struct two two = {
		.choice = choice,
		.drawn = {{.position = NO_DESTINATION}, {.position = NO_DESTINATION}},
	};
	const struct drawn *first = &two.drawn[0], *second = &two.drawn[1];

	bpf_loop(blocks_of(choice), total_step, &two, 0);
	if (two.total == 0)
		return NO_DESTINATION;
	/* From 0 to the total, both included: 0 too is the first one's. */
	two.drawn[0].left = random_below(two.total + 1);
	two.drawn[1].left = random_below(two.total + 1);
	bpf_loop(blocks_of(choice), draw_step, &two, 0);
	if (second->position != NO_DESTINATION && second->weight * first->load > first->weight * second->load)
		return second->position;
	return first->position;
}

/* Apart from schedule(), for the stack. */
__noinline int schedule_by_draw(struct choice *choice)
{
	return choice ? answer(choice, pick_two(choice)) : 0;
}
