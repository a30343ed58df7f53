/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a destination counts of its connections, and whether they are as many as it takes (ip_vs_bind_dest, ip_vs_unbind_dest). */
#pragma once

#include "maps.h"

static __always_inline bool is_gone(const struct destination *destination)
{
	return !(READ_ONCE(destination->flags) & DESTINATION_AVAILABLE);
}

static __always_inline __u64 connections_of(const struct destination *destination)
{
	return (__u64)READ_ONCE(destination->active) + READ_ONCE(destination->inactive);
}

static __always_inline bool is_below_again(const struct destination *destination, __u32 upper)
{
	__u32 lower = READ_ONCE(destination->lower_threshold);
	__u64 connections = connections_of(destination);

	return lower ? connections < lower : connections * 4 < (__u64)upper * 3;
}

/* After a connection was uncounted. Most destinations are not overloaded, and then this is one load. */
static __always_inline void note_uncounted(struct destination *destination)
{
	__u32 upper;

	if (!READ_ONCE(destination->overloaded))
		return;
	upper = READ_ONCE(destination->upper_threshold);
	if (!upper || is_below_again(destination, upper))
		WRITE_ONCE(destination->overloaded, 0);
}

/* After a connection was counted; `more` are about to be, and to be uncounted again. */
static __always_inline void note_counted(struct destination *destination, __u32 more)
{
	__u32 upper = READ_ONCE(destination->upper_threshold);

	if (!upper || connections_of(destination) + more < upper)
		return;
	/* A full barrier. If the last connections end just now, then either they see this or we see them gone. */
	if (!__sync_lock_test_and_set(&destination->overloaded, 1))
		note_uncounted(destination);
}

/* After any change of its load. Who looked before that must not tell any more. */
static __always_inline void note_load(const struct destination *destination)
{
	__u32 block = READ_ONCE(destination->block);
	struct member *first;

	if (!block)
		return;
	first = member_at(block - 1);
	if (first)
		WRITE_ONCE(first->lightest, BLOCK_CHANGED);
}

static __always_inline void count_connection(__u32 index, bool is_inactive)
{
	struct destination *destination = destination_at(index);

	if (!destination)
		return;
	__sync_fetch_and_add(is_inactive ? &destination->inactive : &destination->active, 1);
	note_counted(destination, 0);
	note_load(destination);
}

static __always_inline void uncount_connection(__u32 index, bool is_inactive)
{
	struct destination *destination = destination_at(index);

	if (!destination)
		return;
	__sync_fetch_and_add(is_inactive ? &destination->inactive : &destination->active, -1);
	note_uncounted(destination);
	note_load(destination);
}

static __always_inline void count_template(__u32 index, __s32 difference)
{
	struct destination *destination = destination_at(index);

	if (destination)
		__sync_fetch_and_add(&destination->persistent, difference);
}
