/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* nat_icmp_send: a masqueraded real server is told when its packet belongs to no connection (handle_response of ip_vs_core.c). */
#pragma once

#include "icmp.h"

struct sender {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 family;
	__u32 destination; /* answer */
};

/* A real server of a mark is one for every protocol. */
static long sender_step(__u32 index, void *context)
{
	struct sender *sender = context;
	struct destination *destination = destination_at(index);

	if (!destination)
		return 1;
	if (destination->family != sender->family || destination->port != sender->port ||
	    destination->method != METHOD_MASQ || is_gone(destination) ||
	    !is_same(FAMILY_6, &destination->rip, &sender->address) ||
	    (destination->key.protocol && destination->key.protocol != sender->protocol))
		return 0;
	sender->destination = index;
	return 1;
}

/* Nobody is told about what itself ends a connection. */
static __always_inline bool is_end(const struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP)
		return packet->tcp_flags & TCP_RST;
	return packet->protocol == IPPROTO_SCTP && packet->sctp_event == SCTP_EVENT_ABORT;
}

static __always_inline enum verdict refuse_orphan(struct __sk_buff *skb, enum family family,
						  const struct packet *packet)
{
	struct settings *set = live_settings();
	struct question *question = question_of(HOOK_TC);
	struct answer *answer = current_answer();
	struct destination *destination;
	struct sender sender = {};
	__u32 *end;

	if (!set || !set->nat_icmp_send || !question || !answer || packet->ttl <= 1 || is_end(packet))
		return VERDICT_PASS;
	sender.address = source_of(family, &packet->addresses);
	end = bpf_map_lookup_elem(&ends, &sender.address);
	if (!end || !(*end & END_SOURCE))
		return VERDICT_PASS;
	sender.port = packet->ports;
	sender.protocol = packet->protocol;
	sender.family = family;
	sender.destination = NO_DESTINATION;
	bpf_loop(set->destinations_used, sender_step, &sender, 0);
	destination = destination_at(sender.destination);
	if (!destination)
		return VERDICT_PASS;
	answer->now = jiffies();
	way_to_destination(skb, HOOK_TC, family, destination, answer->now, &question->way);
	answer->packet = *packet;
	answer->source = question->way.source;
	answer->mtu = 0;
	answer->has_aged = 0;
	answer->type = family == FAMILY_4 ? ICMP_DEST_UNREACH : ICMP6_DEST_UNREACH;
	answer->code = family == FAMILY_4 ? ICMP_PORT_UNREACH : ICMP6_PORT_UNREACH;
	drop(HOOK_TC, REASON_NO_CONNECTION);
	return VERDICT_ANSWER;
}

/* Functions of their own, for the stack. */
__noinline int refuse_orphan_four(struct __sk_buff *skb, const struct packet *packet)
{
	return packet ? refuse_orphan(skb, FAMILY_4, packet) : VERDICT_PASS;
}

__noinline int refuse_orphan_six(struct __sk_buff *skb, const struct packet *packet)
{
	return packet ? refuse_orphan(skb, FAMILY_6, packet) : VERDICT_PASS;
}
