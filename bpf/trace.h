/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Writing down what a traced packet met. */
#pragma once

#include "open.h"

static __always_inline void trace_walk(enum family family, enum family way_family, const struct walk *walk,
				       enum reason reason)
{
	struct trace *trace = current_trace();

	if (!trace)
		return;
	trace->reason = reason;
	if (walk->flow) {
		__u32 control = READ_ONCE(walk->flow->control), state = flow_state(control);

		trace->flow = walk->slot;
		trace->state = state;
		trace->next_state = next_state(&walk->packet, direction_with(walk->is_reply, control), state);
	} else {
		trace->next_state = next_state(&walk->packet, direction_of(false, walk->method), STATE_NONE);
	}
	trace->reply = walk->is_reply;
	trace->destination = walk->destination;
	trace->method = walk->method;
	trace->stateless = walk->is_stateless;
	trace->family = family;
	trace->new_family = walk->new_family;
	trace->new_source = source_of(walk->new_family, &walk->new_addresses);
	trace->new_target = target_of(walk->new_family, &walk->new_addresses);
	trace->new_ports = walk->new_ports;
	trace->oif = walk->way->via;
	trace->gateway = walk->way->gateway;
	trace->way_family = way_family;
	if (way_family == FAMILY_4)
		trace->gateway.word[0] = walk->way->via >> 32;
	trace->source = walk->way->source;
	trace->mtu = walk->way->mtu;
	trace->fib = walk->way->fib;
	trace->l2 = walk->way->l2;
}
