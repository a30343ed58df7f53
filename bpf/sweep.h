/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What time does to the tables, with no process alive: a timer ends idle connections and moves the averages on.
 *
 * The whole table is passed once in SWEEP_PERIOD, in shares of a tenth; only pages whose bit says that connections may be
 * there are looked at, and a tick stops at a budget and goes on a moment later, so that packets on this CPU don't wait.
 */
#pragma once

#include "defence.h"
#include <linux/errno.h>

#define MILLISECOND 1000000ULL
#define TICK (100 * MILLISECOND)
#define SHORT_TICK (2 * MILLISECOND)
#define SHARES 10 /* of a period: a pass takes SHARES ticks */
#define PAGE_BUDGET 1024
#define ESTIMATE_S 2

struct sweep {
	struct bpf_timer timer;
	__u32 page; /* where the next tick goes on */
	__u32 due; /* pages still to pass of this share */
	__u32 next_share; /* jiffies */
	__u32 next_estimate; /* jiffies */
	__u32 budget; /* pages a tick may look at; not a constant to the verifier, which would follow its every value */
	__u64 busy_ns; /* what ticks took, by the clock */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sweep);
} sweeps SEC(".maps");

/* What a template lives on for after its time, while there are connections that came by it; and FTP's control connections. */
#define CONTROL_AGAIN_S 60

/* Ends a template whose time is over, or gives it more. Returns 1 while the slot holds one. */
__noinline int expire_template(__u32 slot, __u32 now)
{
	struct flow *flow = flow_at(slot);
	struct lease *lease = flow ? lease_of(flow, flow->control) : NULL;
	__u32 controlled;

	if (!flow || !lease)
		return 0;
	controlled = __sync_val_compare_and_swap(&lease->controlled, 0, TEMPLATE_CLOSED);
	if (controlled && controlled != TEMPLATE_CLOSED) {
		WRITE_ONCE(lease->timeout_s, CONTROL_AGAIN_S);
		WRITE_ONCE(flow->seen, now);
		return 1;
	}
	/* Closed, nobody takes it any more. Whoever let go of it last may only just be noting when. */
	return !end_connection(slot, READ_ONCE(flow->life)) && !end_connection(slot, READ_ONCE(flow->life));
}

/* Is its destination deleted, and nobody waits for its next packet? */
static __always_inline bool is_abandoned(const struct flow *flow, const struct settings *set)
{
	struct destination *destination = destination_at(flow->destination);

	return destination && is_gone(destination) &&
	       (set->expire_nodest_conn || READ_ONCE(destination->on_remove) == ON_REMOVE_RESCHEDULE);
}

static __always_inline bool is_unwanted(const struct flow *flow, __u32 control, const struct lease *lease)
{
	__u32 state = flow_state(control);

	return lease ? state == STATE_NONE && !READ_ONCE(lease->controlled) : is_half_open(state);
}

/* A template that nobody holds any more, and that no connection assured, goes with the last that held it. */
static __always_inline void end_unassured(__u32 slot, __u32 now)
{
	struct flow *flow = flow_at(slot); /* none for NO_SLOT */
	struct lease *lease;
	__u64 life;

	if (!flow)
		return;
	life = READ_ONCE(flow->life);
	lease = flow_kind(life) == FLOW_LIVE && is_template(flow, life) ? lease_of(flow, life) : NULL;
	if (lease && is_unwanted(flow, life, lease))
		expire_template(slot, now);
}

/* Ends what drop_entry has come upon. Returns 1 while the slot holds it. */
__noinline int drop_entry(__u32 slot, __u64 life)
{
	struct flow *flow = flow_at(slot);
	__u32 now = jiffies(), controller;

	if (!flow)
		return 0;
	if (is_template(flow, life)) {
		if (expire_template(slot, now))
			return 1;
	} else {
		controller = controller_of(flow, life);
		if (!end_connection(slot, life))
			return 1;
		end_unassured(controller, now);
	}
	count_event(EVENT_DROP_ENTRY);
	return 0;
}

/* Ends the connection in a slot if its time is over. Returns 1 while the slot holds one. */
__noinline int visit_slot(__u32 slot)
{
	struct flow *flow = flow_at(slot), *reply;
	struct settings *set = live_settings();
	__u32 timeout, state, now, kind, partner;
	struct lease *lease;
	__u64 life;

	if (!flow || !set)
		return 0;
	life = READ_ONCE(flow->life);
	kind = flow_kind(life);
	if (kind == FLOW_BUSY)
		return 1;
	if (kind != FLOW_LIVE)
		return 0;
	state = flow_state(life);
	now = jiffies();
	lease = is_template(flow, life) ? lease_of(flow, life) : NULL;
	if (set->drop_entry >= DEFENCE_ON_BY_NEED && is_unwanted(flow, life, lease) && !is_spared())
		return drop_entry(slot, life);
	timeout = (lease ? READ_ONCE(lease->timeout_s) : set->timeout_s[state]) * set->hz;
	if (is_abandoned(flow, set) && !(lease && READ_ONCE(lease->controlled)))
		timeout = 0;
	if ((__s32)(now - (__u32)(life >> 32)) < (__s32)timeout)
		return 1;
	if (lease)
		return expire_template(slot, now);
	partner = partner_of(flow, life);
	reply = partner == NO_PARTNER ? NULL : flow_at(partner);
	if (reply && flow_kind(reply->control) == FLOW_REPLY && (__s32)(now - READ_ONCE(reply->seen)) < (__s32)timeout)
		return 1;
	if (life & FLOW_FTP && has_data_connection(slot)) {
		WRITE_ONCE(flow->seen, now - timeout + CONTROL_AGAIN_S * set->hz);
		return 1;
	}
	if (end_connection(slot, life)) {
		count_event(EVENT_EXPIRED);
		return 0;
	}
	return 1;
}

struct sweep_step {
	__u32 start;
	__u32 pages;
	__u32 budget;
};

/* Is there a connection, or about to be one? Most slots are asked for nothing else, so this is not left to visit_slot. */
static __always_inline bool is_to_visit(__u32 slot)
{
	const struct flow *flow = flow_at(slot);
	__u32 kind = flow ? flow_kind(READ_ONCE(flow->control)) : FLOW_FREE;

	return kind == FLOW_LIVE || kind == FLOW_BUSY;
}

static __always_inline __u32 page_at(const struct sweep_step *step, __u32 index)
{
	__u32 page = step->start + index;

	return page < step->pages ? page : page - step->pages;
}

static long sweep_page(__u32 index, void *context)
{
	struct sweep_step *step = context;
	__u32 page = page_at(step, index), word = page / PAGES_PER_WORD, slot = page * SLOTS_PER_PAGE;
	__u64 bit = 1ULL << page % PAGES_PER_WORD;
	__u64 *pages = bpf_map_lookup_elem(&flow_pages, &word);
	int held = 0;

	if (!pages || step->budget == 0)
		return 1;
	if (!(READ_ONCE(*pages) & bit))
		return 0;
	step->budget--;
	/* Cleared first: what is entered while we look sets it again. */
	__sync_fetch_and_and(pages, ~bit);
	for (__u32 i = 0; i < SLOTS_PER_PAGE; i++)
		if (is_to_visit(slot + i))
			held |= visit_slot(slot + i);
	if (held)
		__sync_fetch_and_or(pages, bit);
	return 0;
}

static __always_inline __u64 moved(__u64 average, __u64 delta, __u32 shift)
{
	return average + ((__s64)((delta << shift) - average) >> 2);
}

/* One destination's averages, as ip_vs_est.c moves them every 2 s: a quarter of the way. */
static long estimate(__u32 index, void *context)
{
	struct rates *rate = bpf_map_lookup_elem(&rates, &index);
	struct counters sum = {};

	if (!rate)
		return 1;
	for (__u32 cpu = 0; cpu < config.cpus && cpu < 512; cpu++) {
		__u32 cell = cpu * config.destination_slots + index;
		struct counters *count = bpf_map_lookup_elem(&counters, &cell);

		if (!count)
			break;
		sum.connections += count->connections;
		sum.in_packets += count->in_packets;
		sum.in_bytes += count->in_bytes;
		sum.out_packets += count->out_packets;
		sum.out_bytes += count->out_bytes;
	}
	rate->cps = moved(rate->cps, sum.connections - rate->last_connections, 9);
	rate->inpps = moved(rate->inpps, sum.in_packets - rate->last_in_packets, 9);
	rate->outpps = moved(rate->outpps, sum.out_packets - rate->last_out_packets, 9);
	rate->inbps = moved(rate->inbps, sum.in_bytes - rate->last_in_bytes, 4);
	rate->outbps = moved(rate->outbps, sum.out_bytes - rate->last_out_bytes, 4);
	rate->last_connections = sum.connections;
	rate->last_in_packets = sum.in_packets;
	rate->last_out_packets = sum.out_packets;
	rate->last_in_bytes = sum.in_bytes;
	rate->last_out_bytes = sum.out_bytes;
	return 0;
}

static int tick(void *map, __u32 *key, struct sweep *sweep)
{
	struct settings *set = live_settings();
	struct sweep_step step = {};
	__u32 now = jiffies(), slots = config.flow_slots, shares;
	__u64 begin = bpf_ktime_get_ns();
	long passed;

	if (!set)
		return 0;
	step.pages = (slots + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
	shares = SHARES * pass_period();
	if ((__s32)(now - sweep->next_share) >= 0) {
		sweep->next_share = now + set->hz / SHARES;
		sweep->due += step.pages / shares + 1;
		if (sweep->due > step.pages)
			sweep->due = step.pages;
	}
	step.start = sweep->page < step.pages ? sweep->page : 0;
	step.budget = sweep->budget;
	passed = bpf_loop(sweep->due, sweep_page, &step, 0);
	if (passed < 0 || passed > sweep->due)
		passed = sweep->due;
	/* A step that found the budget spent counts as passed, and is not. */
	if (passed && !step.budget)
		passed--;
	sweep->page = page_at(&step, passed);
	sweep->due -= passed;

	if ((__s32)(now - sweep->next_estimate) >= 0) {
		sweep->next_estimate = now + ESTIMATE_S * set->hz;
		if (set->run_estimation)
			bpf_loop(set->destinations_used, estimate, &step, 0);
	}
	update_defences(set);
	sweep->busy_ns += bpf_ktime_get_ns() - begin;
	bpf_timer_start(&sweep->timer, sweep->due ? SHORT_TICK : TICK, 0);
	return 0;
}

/* Starts the timer, or has a running one call this program's code from now on. */
static __always_inline int start_sweep(void)
{
	__u32 zero = 0, now = jiffies();
	struct sweep *sweep = bpf_map_lookup_elem(&sweeps, &zero);
	long error;

	if (!sweep)
		return -1;
	error = bpf_timer_init(&sweep->timer, &sweeps, 1 /* CLOCK_MONOTONIC */);
	if (error && error != -EBUSY) /* done before */
		return error;
	sweep->budget = PAGE_BUDGET;
	sweep->next_share = now;
	sweep->next_estimate = now;
	error = bpf_timer_set_callback(&sweep->timer, tick);
	if (error)
		return error;
	return bpf_timer_start(&sweep->timer, 0, 0);
}

/* Returns when the timer neither runs nor will again. */
static __always_inline int stop_sweep(void)
{
	__u32 zero = 0;
	struct sweep *sweep = bpf_map_lookup_elem(&sweeps, &zero);
	long stopped = sweep ? bpf_timer_cancel(&sweep->timer) : 0;

	return stopped < 0 ? stopped : 0;
}
