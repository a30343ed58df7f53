/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mark that a packet without an entry is given, by rules in order, as netfilter's PREROUTING chain gives it by iptables' MARK:
 * each rule that matches changes it, and the walk through them goes on, unless the rule says that it ends.
 */
#pragma once

#include "template.h"

SHARED_ARRAY(mark_rules, struct mark_rule,
	     2 * MARK_RULES); /* two halves: one is in force, the next one is made in the other */

/* What rules look at. */
struct mark_question {
	struct address source;
	struct address target;
	__u32 interface;
	__u32 mark; /* answer */
	__u32 first; /* of the rules in force */
	__u16 source_port; /* host order */
	__u16 target_port;
	__u8 protocol;
	__u8 family;
};

static __always_inline bool is_within(const struct address *address, const struct address *network,
				      const struct address *mask)
{
	return !(((address->word[0] ^ network->word[0]) & mask->word[0]) |
		 ((address->word[1] ^ network->word[1]) & mask->word[1]) |
		 ((address->word[2] ^ network->word[2]) & mask->word[2]) |
		 ((address->word[3] ^ network->word[3]) & mask->word[3]));
}

static __always_inline bool is_among(const struct port_range *ranges, __u32 count, __u16 port)
{
	bool found = false;

	for (__u32 i = 0; i < MARK_PORTS && i < count; i++)
		found |= ranges[i].first <= port && port <= ranges[i].last;
	return found;
}

/* `condition` holds, or the rule's flag says that it must not. */
static __always_inline bool is_met(const struct mark_rule *rule, enum mark_rule_flag negation, bool condition)
{
	return condition == !(rule->flags & negation);
}

/* Ports, where any are asked for, are of protocols that have them: user space sees to that. */
static __always_inline bool matches(const struct mark_rule *rule, const struct mark_question *question)
{
	if (rule->family && rule->family != question->family)
		return false;
	if (!is_met(rule, MARK_NOT_TARGET, is_within(&question->target, &rule->target, &rule->target_mask)))
		return false;
	if (rule->protocol && !is_met(rule, MARK_NOT_PROTOCOL, rule->protocol == question->protocol))
		return false;
	if (!is_met(rule, MARK_NOT_SOURCE, is_within(&question->source, &rule->source, &rule->source_mask)))
		return false;
	if (rule->target_port_count &&
	    !is_met(rule, MARK_NOT_TARGET_PORTS,
		    is_among(rule->target_ports, rule->target_port_count, question->target_port)))
		return false;
	if (rule->source_port_count &&
	    !is_met(rule, MARK_NOT_SOURCE_PORTS,
		    is_among(rule->source_ports, rule->source_port_count, question->source_port)))
		return false;
	if (rule->flags & MARK_INTERFACE && !is_met(rule, MARK_NOT_INTERFACE, rule->interface == question->interface))
		return false;
	return is_met(rule, MARK_NOT_MARK, (question->mark & rule->marked_mask) == rule->marked);
}

static long apply_rule(__u32 index, void *context)
{
	struct mark_question *question = context;
	const struct mark_rule *rule;

	index += question->first;
	rule = bpf_map_lookup_elem(&mark_rules, &index);
	if (!rule || !matches(rule, question))
		return 0;
	question->mark = (question->mark & ~rule->mask) ^ rule->value;
	return !!(rule->flags & MARK_ENDS);
}

/* The packet's addresses and ports are in this hook's opening. `mark`: what it has already. By itself, for the stack. */
__noinline __u32 give_mark(__u32 hook_and_family, __u32 mark, __u32 interface)
{
	__u32 hook = (__u8)hook_and_family, rules;
	struct settings *set = live_settings();
	struct mark_question question = {.interface = interface, .mark = mark, .family = hook_and_family >> 8};
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	struct trace *trace;
	struct tuple *key;

	if (!set || !opening)
		return mark;
	asm volatile("" : "+r"(opening)); /* or clang adds before it compares, which the verifier refuses */
	key = &opening->new.key;
	question.source = question.family == FAMILY_4 ? source_of(FAMILY_4, &key->addresses)
						      : source_of(FAMILY_6, &key->addresses);
	question.target = question.family == FAMILY_4 ? target_of(FAMILY_4, &key->addresses)
						      : target_of(FAMILY_6, &key->addresses);
	question.source_port = bpf_ntohs(key->ports);
	question.target_port = bpf_ntohs(key->ports >> 16);
	question.protocol = key->ports >> 32;
	rules = READ_ONCE(set->mark_rules);
	question.first = rules & MARK_SECOND_HALF ? MARK_RULES : 0;
	rules &= MARK_COUNT_MASK;
	bpf_loop(rules > MARK_RULES ? MARK_RULES : rules, apply_rule, &question, 0);
	if (hook == HOOK_TRACE) {
		trace = current_trace();
		if (trace)
			trace->mark = question.mark;
	}
	return question.mark;
}

/* XDP frames come without a mark, socket buffers with what earlier filters left in them. */
static __always_inline __u32 mark_of(void *ctx, enum hook hook, enum family family, const struct packet *packet)
{
	struct opening *opening;
	__u32 key = hook;

	opening = bpf_map_lookup_elem(&openings, &key);
	if (!opening)
		return 0;
	copy_addresses(family, &opening->new.key.addresses, &packet->addresses);
	opening->new.key.ports = packet->ports;
	if (hook == HOOK_TC)
		return give_mark(hook | family << 8, ((struct __sk_buff *)ctx)->mark,
				 ((struct __sk_buff *)ctx)->ifindex);
	return give_mark(hook | family << 8, 0, ((struct xdp_md *)ctx)->ingress_ifindex);
}
