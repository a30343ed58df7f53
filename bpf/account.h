/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is counted. Services' and total figures are sums that user space makes. */
#pragma once

#include "parse.h"

static __always_inline struct counters *own_counters(__u32 destination)
{
	__u32 cell = bpf_get_smp_processor_id() * config.destination_slots + destination;

	return bpf_map_lookup_elem(&counters, &cell);
}

static __always_inline void add_packet(struct counters *count, bool is_reply, __u32 bytes)
{
	if (!count)
		return;
	if (is_reply) {
		count->out_packets++;
		count->out_bytes += bytes;
	} else {
		count->in_packets++;
		count->in_bytes += bytes;
	}
}

static __always_inline void count_packet(__u32 destination, bool is_reply, __u32 bytes)
{
	add_packet(own_counters(destination), is_reply, bytes);
}

/* Answers where, for the packet is about to be counted too. */
static __always_inline struct counters *count_new(__u32 destination)
{
	struct counters *count = own_counters(destination);

	if (count)
		count->connections++;
	return count;
}

static __always_inline void count_event(enum event event)
{
	__u32 key = event;
	__u64 *count = bpf_map_lookup_elem(&events, &key);

	if (count)
		(*count)++;
}

/* The end of a packet that is not forwarded. */
static __always_inline enum verdict drop(enum hook hook, enum reason reason)
{
	__u32 key = reason;

	if (hook == HOOK_TRACE) {
		struct trace *trace = current_trace();

		if (trace)
			trace->reason = reason;
	} else {
		__u64 *count = bpf_map_lookup_elem(&reasons, &key);

		if (count)
			(*count)++;
	}
	return VERDICT_DROP;
}
