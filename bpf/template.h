/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Persistence: a client's connections go where its first one went (ip_vs_sched_persist). What remembers it is a template, an
 * entry of the connection table. Connections hold the template that they came by, and it outlives them.
 *
 *   hold     `controlled` + 1, unless closed
 *   release  `controlled` - 1, by whoever ends the connection
 *   close    `controlled` 0 -> TEMPLATE_CLOSED, by the sweep, when its time is over; then it is unlinked like any entry
 */
#pragma once

#include "flow_table.h"
#include "schedule.h"

#define TEMPLATE_TRIES 4

/*
 * What find_service() was asked last on this CPU, by this hook: its answer is still in the choice, for most new connections are
 * for the same few services.
 */
struct asked {
	struct service_key key;
	__u32 mark;
	__u32 version; /* of the table that the answer was found in; odd: the choice is another's */
};

/*
 * Too large for the stack together with what is called from here. One for each hook: a trace runs in a process, and packets may
 * come between.
 */
struct opening {
	struct choice choice;
	struct asked asked;
	struct new_flow new;
	struct new_flow template;
	struct call_id call_id; /* of the packet, if its service has --pe sip */
	__u32 hook; /* with that: whose opening this is */
	__u32 waiting; /* the slot of the entry that waits for this connection */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct opening);
} openings SEC(".maps");

/* Before the choice's service becomes any other. */
static __always_inline void forget_asked(struct opening *opening)
{
	opening->asked.version = 1;
}

enum known {
	UNKNOWN, /* no template, or one whose destination takes nobody any more */
	KNOWN, /* the choice is made: the template is held */
	CLOSING, /* another CPU is just ending it */
};

static __always_inline __u64 both(__u32 low, __u32 high)
{
	return low | (__u64)high << 32;
}

/* What is remembered is the call of such a client. */
__noinline int name_by_call_id(struct opening *opening)
{
	struct tuple *template;

	if (!opening)
		return 0;
	template = &opening->template.key;
	opening->call_id.addresses = template->addresses;
	__builtin_memset(&template->addresses, 0, sizeof(template->addresses));
	template->addresses.word[0] = hash_call_id(&opening->call_id);
	template->ports |= 1ULL << TEMPLATE_CALL_ID_BIT;
	return 1;
}

/*
 * A service of one port remembers clients by that port, FTP and a service of any port by the VIP alone, a mark by itself, for
 * all protocols.
 */
static __always_inline void name_client(enum family family, struct opening *opening)
{
	const struct choice *choice = &opening->choice;
	const struct address *client = &choice->source, *mask = &choice->service.mask, *vip = &choice->target;
	const struct service_key *key = &choice->key;
	struct tuple *template = &opening->template.key;
	__u64 ports = opening->new.key.ports, protocol = ports >> 32 & 0xff;
	__u16 port = 0;

	if ((__u16)(ports >> 16) == key->port && (__u32)ports) { /* AH and ESP have none */
		if (key->port != bpf_htons(FTP))
			port = key->port;
	} else if (!key->protocol) {
		protocol = 0;
		vip = &key->vip;
	}
	__builtin_memset(template, 0, sizeof(*template));
	template->family = family;
	template->ports = (__u32)port << 16 | protocol << 32 | 1ULL << TEMPLATE_BIT;
	if (family == FAMILY_4) {
		template->addresses.word[0] = both(client->word[0] & mask->word[0], vip->word[0]);
		return;
	}
	template->addresses.word[0] = both(client->word[0] & mask->word[0], client->word[1] & mask->word[1]);
	template->addresses.word[1] = both(client->word[2] & mask->word[2], client->word[3] & mask->word[3]);
	template->addresses.word[2] = both(vip->word[0], vip->word[1]);
	template->addresses.word[3] = both(vip->word[2], vip->word[3]);
}

static __always_inline void name_template(enum family family, struct opening *opening)
{
	name_client(family, opening);
	if (opening->choice.service.flags & SERVICE_CALL_ID)
		name_by_call_id(opening);
}

/* Weight 0 and thresholds do not end it. */
static __always_inline bool still_takes(const struct destination *destination)
{
	struct settings *set = live_settings();

	if (is_gone(destination))
		return false;
	return !set || !set->expire_quiescent_template || READ_ONCE(destination->weight) != 0;
}

/* Nobody finds it under this key. It stays linked where it is, for its connections name its slot. */
static __always_inline void park_template(struct flow *flow)
{
	__u64 parked = 1ULL << TEMPLATE_PARKED_BIT | 0xffffULL << 16;

	if (flow->control & FLOW_SIX)
		__sync_fetch_and_or(&flow->six.ports, parked);
	else
		__sync_fetch_and_or(&flow->ports, parked);
}

static __always_inline bool hold_template(struct flow *flow)
{
	struct lease *lease = lease_of(flow, flow->control);

	for (int i = 0; lease && i < 8; i++) {
		__u32 controlled = READ_ONCE(lease->controlled);

		if (controlled & TEMPLATE_CLOSED)
			return false;
		if (__sync_val_compare_and_swap(&lease->controlled, controlled, controlled + 1) == controlled)
			return true;
	}
	return false;
}

/* Where the client's template sends it. */
__noinline int follow_template(struct opening *opening)
{
	struct destination *destination;
	struct flow *flow;
	__u32 slot;

	if (!opening)
		return UNKNOWN;
	for (int i = 0; i < TEMPLATE_TRIES; i++) {
		slot = find_tuple(&opening->template.key);
		flow = flow_at(slot);
		if (!flow)
			return UNKNOWN;
		destination = destination_at(flow->destination);
		if (!destination)
			return UNKNOWN;
		if (!still_takes(destination)) {
			if (opening->choice.commit)
				park_template(flow);
			return UNKNOWN;
		}
		if (opening->choice.commit && !hold_template(flow))
			continue;
		opening->choice.destination = flow->destination;
		opening->choice.method = READ_ONCE(destination->method);
		opening->new.controller = slot;
		return KNOWN;
	}
	return CLOSING;
}

/* Of a template that is held: so it does not end meanwhile. Without room listings lack it, and nothing else. */
__noinline int note_call_id(__u32 slot, __u32 hook)
{
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	void *table = call_id_table();

	return table && opening ? bpf_map_update_elem(table, &slot, &opening->call_id, BPF_ANY) : -1;
}

/* Has the client remembered where it was scheduled, unless another CPU was faster. INSERTED: the new template is held. */
static __always_inline int make_template(struct opening *opening)
{
	struct new_flow *template = &opening->template;
	int result;

	template->home = tuple_home(template->key.family, &template->key);
	template->new = template->key;
	template->destination = opening->choice.destination;
	template->method = opening->choice.method;
	template->state = STATE_NONE;
	template->now = opening->choice.now;
	template->has_reply = 0;
	template->controller = NO_SLOT;
	template->ftp = 0;
	template->template_s = opening->choice.service.persistence_s;
	result = insert_connection(template->key.family, template->key.family, template);
	if (result == INSERTED) {
		opening->new.controller = template->slot;
		if (opening->choice.service.flags & SERVICE_CALL_ID)
			note_call_id(template->slot, opening->hook);
	}
	return result;
}

/* Its time begins again; and a connection that was not entered lets go of it. */
static __always_inline void leave_template(__u32 slot, const struct new_flow *new)
{
	struct flow *flow = flow_at(slot);

	if (!flow)
		return;
	note_seen(flow, new->now);
	if (!new->is_entered)
		release_template(slot);
	else if (new->state == STATE_ESTABLISHED || new->state == STATE_SCTP_ESTABLISHED)
		assure_template(slot);
}
