/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Packets without a connection, which no service or no real server takes: what some settings make of them before they are left to
 * the director's own stack, or refused. Only in TC.
 */
#pragma once

#include "icmp.h"

/*
 * -- cache_bypass: without a real server, what a mark brought goes on to the address that it is for (ip_vs_leave) --
 *
 * Such connections have no entry: their packets are those of a mark's service that belong to no connection.
 */

/* That an address is one of the director's, or a subnet's broadcast, is told by the look-up. */
static __always_inline bool is_of_many(enum family family, const struct address *address)
{
	if (family == FAMILY_6)
		return (__u8)address->word[0] == 0xff;
	return (__u8)address->word[0] >= 224 && ((__u8)address->word[0] < 240 || !~address->word[0]);
}

static __always_inline enum verdict bypass(struct __sk_buff *skb, enum family family, const struct packet *packet,
					   const struct settings *set)
{
	struct question *question = question_of(HOOK_TC);
	__u32 hook = HOOK_TC;
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	void *ip;

	if (!question || !opening || !(set->lookups & LOOKUP_MARK) ||
	    find_service_of(skb, HOOK_TC, family, packet, set, true) != FOUND || opening->choice.key.protocol)
		return VERDICT_NEXT;
	question->to = target_of(family, &packet->addresses);
	look_up_at_tc(skb, family);
	if (!question->way.via || is_of_many(family, &question->to))
		return VERDICT_NEXT;
	if (packet->ttl <= 1 || (question->way.mtu && packet->segment > question->way.mtu))
		return VERDICT_PASS; /* the director tells its sender as any router does */
	if (!take_tags_off(skb, packet))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	ip = ip_at(family, packet_start(skb, HOOK_TC), packet_end(skb, HOOK_TC));
	if (!ip)
		return drop(HOOK_TC, REASON_MALFORMED);
	age(family, ip);
	correct_hop_limit(skb, family);
	return send_tc(HOOK_TC, family, &question->way);
}

/* -- nat_icmp_send: a masqueraded real server is told (handle_response of ip_vs_core.c) -- */

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

static __always_inline bool is_of_real_server(enum family family, const struct packet *packet)
{
	struct address source = source_of(family, &packet->addresses);
	__u32 *end = bpf_map_lookup_elem(&ends, &source);

	return end && *end & END_SOURCE;
}

static __always_inline __u32 find_sender(enum family family, const struct packet *packet)
{
	const struct settings *set = live_settings();
	struct sender sender = {};

	if (!set || !is_of_real_server(family, packet))
		return NO_DESTINATION;
	sender.address = source_of(family, &packet->addresses);
	sender.port = packet->ports;
	sender.protocol = packet->protocol;
	sender.family = family;
	sender.destination = NO_DESTINATION;
	bpf_loop(set->destinations_used, sender_step, &sender, 0);
	return sender.destination;
}

/*
 * The address that the packet is for tells, if it is the director's; else the director's own on the real server's side, of a packet
 * that was on its way on.
 */
static __always_inline void choose_teller(struct __sk_buff *skb, enum family family, struct answer *answer,
					  struct destination *destination, struct question *question)
{
	question->to = target_of(family, &answer->packet.addresses);
	look_up_at_tc(skb, family);
	answer->source = question->to;
	if (question->way.fib == BPF_FIB_LKUP_RET_NOT_FWDED)
		return;
	way_to_destination(skb, HOOK_TC, family, destination, answer->now, &question->way);
	answer->source = question->way.source;
	answer->has_aged = 1;
}

static __always_inline enum verdict refuse_orphan(struct __sk_buff *skb, enum family family,
						  const struct packet *packet)
{
	struct question *question = question_of(HOOK_TC);
	struct answer *answer = current_answer();
	struct destination *destination;

	if (!question || !answer || packet->ttl <= 1 || is_end(packet) || packet->rare & RARE_PORTLESS)
		return VERDICT_NEXT;
	destination = destination_at(find_sender(family, packet));
	if (!destination)
		return VERDICT_NEXT;
	answer->packet = *packet;
	answer->now = jiffies();
	answer->destination = NO_DESTINATION;
	answer->mtu = 0;
	answer->has_aged = 0;
	answer->type = family == FAMILY_4 ? ICMP_DEST_UNREACH : ICMP6_DEST_UNREACH;
	answer->code = family == FAMILY_4 ? ICMP_PORT_UNREACH : ICMP6_PORT_UNREACH;
	choose_teller(skb, family, answer, destination, question);
	drop(HOOK_TC, REASON_NO_CONNECTION);
	return VERDICT_ANSWER;
}

/* -- both -- */

/* `may_call`: it may be what outbound.h has a program for. */
static __always_inline enum verdict leave(struct __sk_buff *skb, enum family family, const struct packet *packet,
					  bool may_call)
{
	struct settings *set = live_settings();
	enum verdict verdict = VERDICT_NEXT;

	if (!set || is_made_here(skb))
		return VERDICT_NEXT;
	if (may_call && set->lookups & LOOKUP_CALL_ID && packet->protocol == IPPROTO_UDP &&
	    !(packet->rare & RARE_PORTLESS) && is_of_real_server(family, packet))
		return VERDICT_OUTBOUND;
	if (set->nat_icmp_send)
		verdict = refuse_orphan(skb, family, packet);
	if (verdict == VERDICT_NEXT && set->cache_bypass)
		verdict = bypass(skb, family, packet, set);
	return verdict;
}

/* Functions of their own, for the stack. NEXT: as without these settings. */
__noinline int leave_four(struct __sk_buff *skb, const struct packet *packet, bool may_call)
{
	return packet ? leave(skb, FAMILY_4, packet, may_call) : VERDICT_NEXT;
}

__noinline int leave_six(struct __sk_buff *skb, const struct packet *packet, bool may_call)
{
	return packet ? leave(skb, FAMILY_6, packet, may_call) : VERDICT_NEXT;
}
