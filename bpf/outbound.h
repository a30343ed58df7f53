/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a masqueraded real server sends by itself from its port of a service with --pe sip (ip_vs_new_conn_out): it leaves as the
 * service's, its call is that real server's from then on, and it has an entry, by which the answer comes back, unless the service
 * has one-packet scheduling. TC only.
 */
#pragma once

#include "one_packet.h"

#define OUTBOUND_TRIES 4

/* The real server's packet seen as the connection that it makes: from its receiver to the service. */
static __always_inline void describe_outbound(enum family family, struct opening *opening, const struct walk *walk,
					      const struct destination *destination)
{
	const struct packet *packet = &walk->packet;
	struct choice *choice = &opening->choice;
	struct new_flow *new = &opening->new;

	copy_addresses(family, &new->reply.addresses, &packet->addresses);
	new->reply.ports = packet->ports;
	new->reply.family = family;
	turn(family, &new->new, &new->reply);
	new->key = new->new;
	set_target(&new->key, &destination->key.vip);
	new->key.ports = (new->new.ports & ~0xffff0000ULL) | (__u64)destination->key.port << 16;
	new->home = tuple_home(family, &new->key);
	new->destination = walk->destination;
	new->method = METHOD_MASQ;
	new->state = STATE_UDP;
	new->now = walk->now;
	new->has_reply = 1;
	new->own = 0;
	new->controller = NO_SLOT;
	new->template_s = 0;
	new->ftp = 0;
	new->is_entered = 0;
	choice->source = target_of(family, &packet->addresses);
	choice->target = destination->key.vip;
	choice->now = walk->now;
	choice->commit = 1;
}

/* The template of the opening's call becomes this real server's, and is held. A function of its own, for the stack. */
__noinline int take_call(struct opening *opening, __u32 destination)
{
	if (!opening)
		return 0;
	for (int i = 0; i < OUTBOUND_TRIES; i++) {
		struct flow *flow;

		opening->new.controller = NO_SLOT;
		if (follow_template(opening) == KNOWN) {
			if (opening->choice.destination == destination)
				return 1;
			flow = flow_at(opening->new.controller);
			if (flow)
				park_template(flow);
			release_template(opening->new.controller);
			opening->new.controller = NO_SLOT;
		}
		opening->choice.destination = destination;
		opening->choice.method = METHOD_MASQ;
		if (make_template(opening) != EXISTS)
			return 1;
	}
	return 0;
}

/* The service of a real server, if it has the engine, into the opening. */
static __always_inline bool has_engine(struct opening *opening, const struct destination *destination)
{
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&service_tables, &zero);
	struct service_key key = destination->key;
	struct service *service;

	if (!table || !key.protocol || !key.port || !destination->port)
		return false;
	service = bpf_map_lookup_elem(table, &key);
	if (!service || !(service->flags & SERVICE_CALL_ID))
		return false;
	forget_asked(opening);
	opening->choice.service = *service;
	opening->choice.key = key;
	return true;
}

/* Without an entry: of its own wish, or because the receiver's connection is another real server's. */
static __always_inline bool translate_outbound(enum family family, struct walk *walk, struct opening *opening)
{
	struct tuple *back = &opening->new.back;

	turn(family, back, &opening->new.key);
	copy_addresses(family, &walk->new_addresses, &back->addresses);
	walk->new_ports = back->ports;
	walk->new_family = family;
	walk->method = METHOD_MASQ;
	walk->is_reply = 1;
	return make_lone(HOOK_TC, family, walk);
}

/* The packet as a reply of the entry that is made for it. */
static __always_inline enum verdict enter_outbound(enum family family, struct walk *walk, struct opening *opening)
{
	struct new_flow *new = &opening->new;
	int result = EXISTS;

	if (!(opening->choice.service.flags & SERVICE_ONE_PACKET))
		result = insert_connection(family, family, new);
	if (result == NO_ROOM)
		return drop(HOOK_TC, REASON_TABLE_FULL);
	count_new(walk->destination);
	if (result != INSERTED)
		return translate_outbound(family, walk, opening) ? VERDICT_NEXT : VERDICT_PASS;
	walk->flow = flow_at(new->slot);
	if (!walk->flow)
		return VERDICT_PASS;
	walk->slot = partner_of(walk->flow, walk->flow->control);
	walk->flow = flow_at(walk->slot);
	if (!walk->flow)
		return drop(HOOK_TC, REASON_FLOW_RACE);
	take_from(family, walk, walk->flow);
	return VERDICT_NEXT;
}

/* PASS: it is nobody's, and the kernel's. */
static __always_inline enum verdict walk_outbound(struct __sk_buff *skb, enum family family, struct walk *walk)
{
	struct question *question = question_of(HOOK_TC);
	struct destination *destination;
	struct opening *opening;
	__u32 hook = HOOK_TC;
	enum verdict verdict;

	walk->destination = find_sender(family, &walk->packet);
	destination = destination_at(walk->destination);
	opening = bpf_map_lookup_elem(&openings, &hook);
	if (!destination || !opening || !question || !has_engine(opening, destination))
		return VERDICT_PASS;
	question->to = target_of(family, &walk->packet.addresses);
	look_up_at_tc(skb, family);
	if (question->way.fib == BPF_FIB_LKUP_RET_NOT_FWDED) /* for the director itself */
		return VERDICT_PASS;
	describe_outbound(family, opening, walk, destination);
	if (asks_for_call_id(&opening->choice)) {
		if (!read_call_id(skb, HOOK_TC, family, &walk->packet))
			return VERDICT_PASS;
		name_template(family, opening);
		if (!take_call(opening, walk->destination))
			return drop(HOOK_TC, REASON_FLOW_RACE);
	}
	verdict = enter_outbound(family, walk, opening);
	if (opening->new.controller != NO_SLOT) {
		assure_template(opening->new.controller);
		leave_template(opening->new.controller, &opening->new);
	}
	if (verdict != VERDICT_NEXT)
		return verdict;
	return send_on(skb, HOOK_TC, family, walk, destination);
}

static __always_inline enum verdict walk_caller(struct __sk_buff *skb, enum family family)
{
	struct walk walk = {.way = way_of(HOOK_TC, NULL)};
	enum verdict verdict;

	if (!walk.way)
		return VERDICT_PASS;
	verdict = parse(skb, HOOK_TC, family, &walk.packet);
	if (verdict != VERDICT_NEXT)
		return verdict;
	walk.now = jiffies();
	verdict = walk_outbound(skb, family, &walk);
	if (verdict != VERDICT_PASS)
		return verdict;
	return family == FAMILY_4 ? leave_four(skb, &walk.packet, false) : leave_six(skb, &walk.packet, false);
}
