/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One-packet scheduling of UDP: each datagram is scheduled by itself, and has no entry. So nobody translates the answers of a
 * masqueraded real server. Only a fragmented datagram is remembered, until all of it has come. In programs of their own, so that
 * other services' packets don't pay for it.
 */
#pragma once

#include "fragment.h"
#include "leave.h"
#include "open.h"

#define TUNNEL_HEADERS_MOST 128

/* What an entry would say. */
struct lone {
	struct flow entry;
	struct flow extension;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE);
	__type(key, __u32);
	__type(value, struct lone);
} lones SEC(".maps");

/*
 * Can XDP send the next datagram on? If not TC schedules it, and it must not have been before, or rr would pass one over. In
 * doubt it is left to TC. A function of its own, for the stack.
 */
__noinline int ends_at_xdp(struct opening *opening, __u32 length, __u32 ttl)
{
	struct destination *destination;
	const struct next_hop *hop;
	enum known known;
	__u32 refresh;

	if (!opening || ttl <= 1)
		return 0;
	opening->choice.commit = 0;
	known = opening->new.key.family == FAMILY_4 ? choose_destination(FAMILY_4, opening, false)
						    : choose_destination(FAMILY_6, opening, false);
	opening->choice.commit = 1;
	opening->new.controller = NO_SLOT;
	if (known != KNOWN)
		return 0;
	destination = destination_at(opening->choice.destination);
	if (!destination)
		return 0;
	hop = &destination->next_hop;
	if (opening->choice.method == METHOD_TUNNEL)
		length += TUNNEL_HEADERS_MOST;
	return is_addressed(HOOK_XDP, READ_ONCE(hop->l2)) && !is_due(hop, opening->choice.now, &refresh) &&
	       (!READ_ONCE(hop->mtu) || length <= hop->mtu);
}

/* Which destination the datagram goes to, and that it was scheduled. */
static __always_inline enum verdict schedule_one_packet(enum hook hook, enum family family, struct walk *walk,
							struct opening *opening, enum reason *reason)
{
	struct choice *choice = &opening->choice;
	struct new_flow *new = &opening->new;
	struct fragment_note *note;
	enum known known;

	choice->now = walk->now;
	if (hook == HOOK_XDP && !ends_at_xdp(opening, walk->packet.length, walk->packet.ttl))
		return VERDICT_TC;
	known = choose_destination(family, opening, false);
	if (known == CLOSING)
		return drop(hook, REASON_FLOW_RACE);
	if (known == UNKNOWN) {
		*reason = REASON_NO_DESTINATION;
		return VERDICT_DROP;
	}
	walk->destination = choice->destination;
	walk->method = choice->method;
	if (hook == HOOK_TRACE)
		return VERDICT_NEXT;
	count_new(walk->destination);
	new->now = walk->now;
	new->is_entered = 0;
	if (new->controller != NO_SLOT)
		leave_template(new->controller, new);
	note = walk->packet.rare & RARE_FIRST_FRAGMENT ? current_fragment(hook) : NULL;
	if (note)
		note->destination = walk->destination + 1;
	return VERDICT_NEXT;
}

/* All but the first fragment, and that one too if the datagram was cut after it was scheduled. */
static __always_inline bool is_scheduled(enum hook hook, const struct packet *packet)
{
	struct fragment_note *note;

	if (packet->rare & RARE_PORTLESS)
		return true;
	note = packet->rare & RARE_FIRST_FRAGMENT ? current_fragment(hook) : NULL;
	return note && note->destination;
}

/* A fragment that follows its first one, or a packet of the kernel's own. */
static __always_inline enum verdict follow_one_packet(enum hook hook, struct walk *walk)
{
	struct fragment_note *note = current_fragment(hook);
	struct destination *destination;

	if (!note || !note->destination)
		return VERDICT_PASS;
	walk->destination = note->destination - 1;
	destination = destination_at(walk->destination);
	if (!destination)
		return VERDICT_PASS;
	walk->method = READ_ONCE(destination->method);
	return VERDICT_NEXT;
}

/* For a packet that is translated without an entry: what its checksums change by. */
static __always_inline bool make_lone(enum hook hook, enum family family, struct walk *walk)
{
	__u32 key = hook, added, ports_added;
	struct lone *lone;

	lone = bpf_map_lookup_elem(&lones, &key);
	if (!lone)
		return false;
	added = fold(address_difference(&walk->packet.addresses, &walk->new_addresses));
	ports_added = fold(difference(walk->packet.ports, walk->new_ports));
	lone->entry.control = FLOW_LIVE | STATE_UDP << FLOW_STATE_SHIFT | METHOD_MASQ << FLOW_METHOD_SHIFT;
	lone->entry.partner = NO_PARTNER;
	lone->entry.destination = walk->destination;
	if (family == FAMILY_4) {
		lone->entry.new_addresses = walk->new_addresses.word[0];
		lone->entry.new_ports = walk->new_ports;
		lone->entry.address_difference = added;
		lone->entry.port_difference = ports_added;
		lone->entry.whole_difference = fold(added + ports_added);
	} else {
		lone->extension.new.addresses = walk->new_addresses;
		lone->extension.new.ports = walk->new_ports;
		lone->extension.new.address_difference = added;
		lone->extension.new.port_difference = ports_added;
	}
	walk->flow = &lone->entry;
	walk->extension = &lone->extension;
	return true;
}

/* masq: what the datagram becomes. */
static __always_inline bool translate_one_packet(enum hook hook, enum family family, struct walk *walk,
						 struct opening *opening, const struct destination *destination)
{
	struct tuple *new = &opening->new.new;

	new->family = family;
	copy_addresses(family, &new->addresses, &walk->packet.addresses);
	set_target(new, &destination->rip);
	copy_addresses(family, &walk->new_addresses, &new->addresses);
	walk->new_ports = walk->packet.ports;
	walk->new_family = family;
	if (!(walk->packet.rare & RARE_PORTLESS))
		walk->new_ports =
			(__u16)walk->packet.ports | (__u32)port_of(&opening->choice, &walk->packet, destination) << 16;
	return hook == HOOK_TRACE || make_lone(hook, family, walk);
}

/* What open_flow() found is in the opening. */
static __always_inline enum verdict walk_one_packet(void *ctx, enum hook hook, enum family family)
{
	struct way known;
	struct walk walk = {.way = way_of(hook, &known), .is_stateless = 1};
	struct destination *destination;
	enum reason reason = REASON_NONE;
	struct opening *opening;
	enum verdict verdict;
	__u32 key = hook;

	opening = bpf_map_lookup_elem(&openings, &key);
	if (!walk.way || !opening)
		return VERDICT_PASS;
	verdict = parse(ctx, hook, family, &walk.packet);
	if (verdict != VERDICT_NEXT)
		return verdict;
	walk.now = jiffies();
	verdict = is_scheduled(hook, &walk.packet) ? follow_one_packet(hook, &walk)
						   : schedule_one_packet(hook, family, &walk, opening, &reason);
	if (hook == HOOK_TC && reason == REASON_NO_DESTINATION) {
		int left =
			family == FAMILY_4 ? leave_four(ctx, &walk.packet, true) : leave_six(ctx, &walk.packet, true);

		if (left != VERDICT_NEXT)
			return left;
	}
	if (reason == REASON_NO_DESTINATION)
		return hook == HOOK_XDP ? VERDICT_TC : refuse(hook, family, &walk, NULL, reason);
	if (verdict != VERDICT_NEXT)
		return verdict;
	destination = destination_at(walk.destination);
	if (!destination)
		return VERDICT_PASS;
	if (is_gone(destination))
		return drop(hook, REASON_DESTINATION_GONE);
	if (walk.method == METHOD_MASQ && !translate_one_packet(hook, family, &walk, opening, destination))
		return VERDICT_PASS;
	if (is_handed_over(family, &walk, destination))
		return hand_over(hook, &walk, false);
	return send_on(ctx, hook, family, &walk, destination);
}
