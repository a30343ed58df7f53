/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IP fragments: only a datagram's first one has ports, which are noted for those that follow it. A fragment of a datagram
 * whose first was not ours has ports too, finds no entry by them, and is the kernel's like that one.
 */
#pragma once

#include "account.h"
#include "next_hop.h"

#define FRAGMENT_LIFE_S 30 /* net.ipv4.ipfrag_time */
#define FRAGMENTED_MOST 16384
#define FRAGMENT_PATIENCE \
	64 /* times that fragments of one datagram go back into the receive queue, behind the first one perhaps */

struct fragment_key {
	struct addresses addresses; /* of either family: the other words are 0 for IPv4 */
	__u32 id; /* as on the wire */
	__u32 protocol; /* IPv4: a part of what tells datagrams apart; IPv6: 0 (RFC 8200, 4.5) */
};

struct fragment_note {
	__u64 ports; /* as struct flow has them */
	__u32 seen; /* jiffies */
	__u32 put_back; /* above 0 while the first fragment has not come: how often others went back */
	__u32 destination; /* of a one-packet service: where the datagram goes, counted from 1 */
	__u32 is_cut; /* cut here: the first fragment is just coming, and what is noted holds for it too */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAGMENTED_MOST);
	__type(key, struct fragment_key);
	__type(value, struct fragment_note);
} fragments SEC(".maps");

/* The fragment that this CPU is just at. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct fragment_key);
} fragment_keys SEC(".maps");

static __always_inline struct fragment_note *current_fragment(enum hook hook)
{
	__u32 place = hook;
	struct fragment_key *key = bpf_map_lookup_elem(&fragment_keys, &place);

	return key ? bpf_map_lookup_elem(&fragments, key) : NULL;
}

static __always_inline bool may_be_ours(enum family family, const struct packet *packet)
{
	struct address address = target_of(family, &packet->addresses);
	__u32 *end = bpf_map_lookup_elem(&ends, &address);

	if (end && *end & END_TARGET)
		return true;
	address = source_of(family, &packet->addresses);
	end = bpf_map_lookup_elem(&ends, &address);
	return end && *end & END_SOURCE;
}

/*
 * One that came before its first: the kernel's, unless its addresses are of connections of ours. XDP leaves it to TC, which lets
 * what is already in the receive queue go first, and then drops it.
 */
static __always_inline enum verdict wait_for_first(void *ctx, enum hook hook, enum family family,
						   const struct packet *packet, const struct fragment_key *key,
						   struct fragment_note *note)
{
	if (!may_be_ours(family, packet))
		return VERDICT_PASS;
	if (hook == HOOK_XDP)
		return VERDICT_TC;
	if (hook == HOOK_TRACE || note->put_back > FRAGMENT_PATIENCE)
		return drop(hook, REASON_FRAGMENT_EARLY);
	bpf_map_update_elem(&fragments, key, note, BPF_ANY);
	if (bpf_redirect(((struct __sk_buff *)ctx)->ifindex, BPF_F_INGRESS) != TC_ACT_REDIRECT)
		return drop(hook, REASON_REDIRECT_FAILED);
	return VERDICT_SENT;
}

/* Another datagram with its id would come later. */
static __always_inline bool is_just_cut(const struct fragment_note *known, const struct fragment_note *note)
{
	return known->is_cut && known->ports == note->ports && note->seen - known->seen <= 1;
}

/* NEXT with the ports set. */
static __always_inline enum verdict follow_fragment(void *ctx, enum hook hook, enum family family,
						    struct packet *packet, __u32 id)
{
	struct fragment_note note = {.ports = packet->ports, .seen = jiffies()}, *known;
	struct settings *set = live_settings();
	struct fragment_key *key;
	__u32 place = hook;

	key = bpf_map_lookup_elem(&fragment_keys, &place);
	if (!key)
		return VERDICT_PASS;
	key->addresses = packet->addresses;
	key->id = id;
	key->protocol = family == FAMILY_4 ? packet->protocol : 0;
	known = bpf_map_lookup_elem(&fragments, key);
	if (packet->rare & RARE_FIRST_FRAGMENT) {
		if (hook != HOOK_TRACE && !(known && is_just_cut(known, &note)))
			bpf_map_update_elem(&fragments, key, &note, BPF_ANY);
		return VERDICT_NEXT;
	}
	if (known && set && note.seen - known->seen < FRAGMENT_LIFE_S * set->hz) {
		note.put_back = known->put_back;
		if (!note.put_back) {
			packet->ports = known->ports;
			packet->protocol = known->ports >> 32;
			return VERDICT_NEXT;
		}
	}
	note.put_back++;
	return wait_for_first(ctx, hook, family, packet, key, &note);
}
