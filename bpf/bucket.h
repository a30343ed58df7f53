/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * sh, dh and mh: an address is hashed, and a table that was computed when the service changed says whose it is. Two flags of sh
 * and mh: the client's port is hashed with its address, and who hashes to a destination that takes nobody looks further.
 */
#pragma once

#include "schedule.h"
#include "siphash.h"

/* ip_vs_mh.c: both words of the key are this. */
#define MH_KEY 2654435761ULL

/* hsiphash of one word: cut to 32 bits. */
static __always_inline __u32 siphash(__u32 word)
{
	struct siphash hash;

	siphash_begin(&hash, MH_KEY, MH_KEY);
	return siphash_end(&hash, (__u64)sizeof(word) << 56 | word);
}

/* What a search through a service's table needs. */
struct search {
	__u32 members;
	__u32 count;
	__u32 buckets;
	__u32 is_maglev;
	__u32 word; /* what is hashed */
	__u32 start; /* the bucket that it hashes to */
	__u32 has_thresholds;
	__u32 chosen;
};

/* `offset`: 0, or which bucket a search has come to. hash_32(word, 8) of include/linux/hash.h for sh and dh. */
static __always_inline __u32 bucket_of(const struct search *search, __u32 offset)
{
	if (search->is_maglev)
		return siphash(search->word + offset) % MH_BUCKETS;
	return (offset + (search->word * 0x61c88647U >> 24)) & (BUCKETS - 1);
}

/* Sets `chosen` if who owns the bucket takes connections. */
static __always_inline bool try_bucket(struct search *search, __u32 bucket)
{
	__u32 index = search->buckets + bucket, *position = bpf_map_lookup_elem(&buckets, &index);
	struct member *member;

	if (!position || *position >= search->count)
		return false;
	member = member_at(search->members + *position);
	if (!member || !takes(member, search->has_thresholds))
		return false;
	search->chosen = *position;
	return true;
}

static long fallback_step(__u32 index, void *context)
{
	struct search *search = context;
	__u32 size = search->is_maglev ? MH_BUCKETS : BUCKETS, offset = index + search->start;

	return try_bucket(search, bucket_of(search, offset >= size ? offset - size : offset));
}

static long taker_step(__u32 index, void *context)
{
	struct search *search = context;
	struct member *member = member_at(search->members + index);

	if (!member)
		return 1;
	if (!takes(member, search->has_thresholds))
		return 0;
	search->chosen = index;
	return 1;
}

/* As ip_vs_sh_get_fallback and ip_vs_mh_get_fallback; but a table whose every destination is refused is not gone through. */
static __always_inline void fall_back(struct search *search)
{
	bpf_loop(search->count, taker_step, search, 0);
	if (search->chosen == NO_DESTINATION)
		return;
	search->chosen = NO_DESTINATION;
	bpf_loop(search->is_maglev ? MH_BUCKETS : BUCKETS, fallback_step, search, 0);
}

/* `word`: an address as a number, of IPv6 the words' exclusive or. */
static __always_inline __u32 pick_bucket(const struct choice *choice, __u32 word, bool has_flags)
{
	const struct service *service = &choice->service;
	struct search search = {
		.members = service->members,
		.count = service->member_count,
		.buckets = service->buckets,
		.is_maglev = service->scheduler == SCHEDULER_MH,
		.word = word,
		.has_thresholds = thresholds_of(choice),
		.chosen = NO_DESTINATION,
	};

	if (has_flags && service->flags & SERVICE_FLAG_2)
		search.word += choice->source_port;
	search.start = bucket_of(&search, 0);
	if (!try_bucket(&search, search.start) && has_flags && service->flags & SERVICE_FLAG_1)
		fall_back(&search);
	return search.chosen;
}

/* Apart from schedule(), for the stack. */
__noinline int schedule_by_bucket(struct choice *choice)
{
	if (!choice)
		return 0;
	if (choice->service.scheduler == SCHEDULER_DH)
		return answer(choice, pick_bucket(choice, bpf_ntohl(folded(&choice->target)), false));
	return answer(choice, pick_bucket(choice, bpf_ntohl(folded(&choice->source)), true));
}
