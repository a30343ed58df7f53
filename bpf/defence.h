/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Defences against floods, as update_defense_level and ip_vs_random_dropentry have them: drop_packet refuses one of so many new
 * connections, drop_entry ends half-open ones. By need: while the table has room for less than `amemthresh` connections.
 */
#pragma once

#include "account.h"
#include "flow_table.h"

#define PERIOD_SLOTS (4U << 20) /* larger tables are passed proportionally slower, so that the CPU share is bounded */
#define ENTRIES_SPARED 32 /* one of so many is looked at each second */

/* What a pass over the table takes, in seconds. */
static __always_inline __u32 pass_period(void)
{
	return config.flow_slots / PERIOD_SLOTS + 1;
}

/* -- drop_packet: ip_vs_todrop -- */

static __always_inline __s32 drop_rate_of(const struct settings *set)
{
	if (set->drop_packet == DEFENCE_ON)
		return set->am_droprate;
	return set->drop_packet == DEFENCE_ON_BY_NEED ? READ_ONCE(set->drop_rate) : 0;
}

/* A function of its own, for the stack. */
__noinline int is_to_drop(void)
{
	struct settings *set = live_settings();
	__s32 rate = set ? drop_rate_of(set) : 0;

	if (!set || !rate || __sync_fetch_and_add(&set->drop_counter, -1) > 1)
		return 0;
	WRITE_ONCE(set->drop_counter, rate);
	return 1;
}

/* -- drop_entry -- */

static __always_inline bool is_half_open(__u32 state)
{
	return state == STATE_SYN_RECV || state == STATE_SYNACK || state == STATE_SCTP_INIT1 ||
	       state == STATE_SCTP_INIT;
}

static __always_inline bool is_spared(void)
{
	return bpf_get_prandom_u32() % ENTRIES_SPARED >= pass_period();
}

/* -- is there need -- */

static long room_step(__u32 index, void *context)
{
	struct destination *destination = destination_at(index);
	__u64 *room = context;
	__u64 used;

	if (!destination)
		return 1;
	used = (__u64)READ_ONCE(destination->active) + READ_ONCE(destination->inactive) +
	       READ_ONCE(destination->persistent);
	*room = *room > used ? *room - used : 0;
	return *room == 0;
}

/* Connections that the table still has room for, as `fairlead status` counts them. */
static __always_inline __s32 room_left(const struct settings *set)
{
	__u64 room = config.flow_slots / SLOTS_PER_CONNECTION;

	bpf_loop(set->destinations_used, room_step, &room, 0);
	return room;
}

static __always_inline bool is_by_need(__u32 mode)
{
	return mode == DEFENCE_BY_NEED || mode == DEFENCE_ON_BY_NEED;
}

/* User space may just be setting another mode. */
static __always_inline void set_mode(__u32 *mode, bool needed)
{
	__u32 other = needed ? DEFENCE_BY_NEED : DEFENCE_ON_BY_NEED;

	if (READ_ONCE(*mode) == other)
		__sync_val_compare_and_swap(mode, other, DEFENCE_BY_NEED + DEFENCE_ON_BY_NEED - other);
}

/* By the timer. */
static __always_inline void update_defences(struct settings *set)
{
	__s32 room, least = set->amemthresh > 0 ? set->amemthresh : 0;
	bool needed;

	if (!is_by_need(set->drop_packet) && !is_by_need(set->drop_entry) && !is_by_need(set->secure_tcp))
		return;
	room = room_left(set);
	needed = room < least;
	if (needed && is_by_need(set->drop_packet)) {
		__u32 rate = (__u32)least / (__u32)(least - room);

		WRITE_ONCE(set->drop_rate, rate);
		WRITE_ONCE(set->drop_counter, rate);
	}
	set_mode(&set->drop_packet, needed);
	set_mode(&set->drop_entry, needed);
	set_mode(&set->secure_tcp, needed);
}
