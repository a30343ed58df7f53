/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A packet without an entry: service -> scheduler -> new entry, or why not. */
#pragma once

#include "account.h"
#include "defence.h"
#include "flow_table.h"
#include "ike.h"
#include "mark.h"
#include "next_hop.h"
#include "schedule.h"
#include "sip.h"
#include "template.h"

#define RACE_TRIES 4
#define TUPLE_TRIES 3
#define PORT_TRIES 256

/* A service's flag, but only in an opening: the connection goes where its twin does. */
#define SERVICE_OF_TWIN 0x80000000

/* Likewise: it is the data connection of one of FTP, which an entry waits for. */
#define SERVICE_EXPECTED 0x8000

/* Where one packet stands on its walk. */
struct walk {
	struct packet packet;
	struct way *way;
	struct flow *flow; /* NULL: none, or scheduled without an entry */
	__u32 slot;
	__u32 now;
	__u32 destination;
	__u32 method;
	__u32 is_reply;
	__u8 is_stateless;
	__u8 is_handed; /* by a program of established packets, which has seen where the packet comes from */
	__u8 is_new; /* this packet made `flow`, which says of it what there is to say */
	__u8 is_followed; /* by a program of established packets: it may change the state of `flow` */
	struct addresses new_addresses;
	__u32 new_ports;
	enum family new_family;
	const struct flow *extension; /* of `flow`, or NULL */
	struct counters *counters; /* of the destination, or NULL: not asked for yet */
};

/* -- fullnat: a local port that no other connection to this real server has -- */

struct port_search {
	struct tuple reply;
	__u32 start;
	__u32 count;
	__u32 port; /* answer, host order; 0: none */
};

/* Local ports by number, leaving out those that the director's own sockets use. */
static __always_inline __u32 local_port(__u32 number)
{
	__u32 port = config.port_low + number;

	return port >= config.reserved_low ? port + config.reserved_high - config.reserved_low + 1 : port;
}

static __always_inline __u32 local_port_count(void)
{
	return config.port_high - config.port_low + 1 - (config.reserved_high - config.reserved_low + 1);
}

static long try_port(__u32 index, void *context)
{
	struct port_search *search = context;
	__u32 number = search->start + index, port;

	if (number >= search->count)
		number -= search->count;
	port = local_port(number);
	search->reply.ports = (search->reply.ports & ~0xffff0000ULL) | (__u64)bpf_htons(port) << 16;
	if (find_tuple(&search->reply) != NO_SLOT)
		return 0;
	search->port = port;
	return 1;
}

/* Which of the service's local addresses, another at each try, or the director's own on this way. NULL: none. */
static __always_inline const struct address *local_address(const struct choice *choice, bool is_cross,
							   const struct way *way, __u32 try)
{
	const struct service *service = &choice->service;
	__u32 first = service->local_addresses + (is_cross ? service->local_address_count : 0);
	__u32 count = is_cross ? service->cross_address_count : service->local_address_count;
	__u32 index;

	if (count == 0)
		return &way->source;
	index = first + ((__u32)(choice->flow_hash >> 32) + try) % count;
	return bpf_map_lookup_elem(&local_addresses, &index);
}

static __always_inline void set_source(struct tuple *tuple, const struct address *source)
{
	if (tuple->family == FAMILY_4) {
		tuple->addresses.word[0] = (tuple->addresses.word[0] & ~0xffffffffULL) | source->word[0];
		return;
	}
	tuple->addresses.word[0] = source->word[0] | (__u64)source->word[1] << 32;
	tuple->addresses.word[1] = source->word[2] | (__u64)source->word[3] << 32;
}

static __always_inline void set_target(struct tuple *tuple, const struct address *target)
{
	if (tuple->family == FAMILY_4) {
		tuple->addresses.word[0] = (__u32)tuple->addresses.word[0] | (__u64)target->word[0] << 32;
		return;
	}
	tuple->addresses.word[2] = target->word[0] | (__u64)target->word[1] << 32;
	tuple->addresses.word[3] = target->word[2] | (__u64)target->word[3] << 32;
}

static __always_inline bool is_none(const struct address *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

/* Gives a fullnat connection a port of its local address, which it has already. 0: there is none. */
__noinline int choose_port(struct new_flow *new)
{
	struct port_search search = {};

	if (!new)
		return 0;
	if (new->new.family == FAMILY_4)
		turn(FAMILY_4, &search.reply, &new->new);
	else
		turn(FAMILY_6, &search.reply, &new->new);
	search.count = local_port_count();
	if (!search.count)
		return 0;
	search.start = bpf_get_prandom_u32() % search.count;
	bpf_loop(PORT_TRIES, try_port, &search, 0);
	if (!search.port)
		return 0;
	new->new.ports = (new->new.ports & ~0xffffULL) | bpf_htons(search.port);
	return 1;
}

/* Sets the source of a fullnat connection; a reason when there is none to give. */
static __always_inline enum reason choose_source(struct new_flow *new, const struct address *local)
{
	if (!local || is_none(local))
		return REASON_NO_LOCAL_ADDRESS;
	set_source(&new->new, local);
	return choose_port(new) ? REASON_NONE : REASON_NO_LOCAL_PORT;
}

/* -- entering it -- */

static __always_inline bool is_closing(__u32 state)
{
	return state == STATE_TIME_WAIT || state == STATE_CLOSE || state == STATE_LAST_ACK ||
	       state == STATE_SCTP_CLOSED || state == STATE_SCTP_REJECTED;
}

/*
 * masq: the real server can't tell two connections with one client address and port apart (they came for two VIPs). A closing
 * one gives way; a live one stays.
 */
static __always_inline bool end_closing_owner(const struct new_flow *new)
{
	__u32 slot = find_tuple(&new->reply);
	struct flow *reply = flow_at(slot), *owner;
	__u64 life;

	if (!reply)
		return true;
	slot = partner_of(reply, reply->control);
	owner = flow_at(slot); /* none for NO_PARTNER */
	if (!owner)
		return false;
	life = READ_ONCE(owner->life);
	return is_closing(flow_state(life)) && end_connection(slot, life);
}

/* `new_family`: of the real server's side. */
static __always_inline enum verdict enter(enum hook hook, enum family family, enum family new_family, struct walk *walk,
					  struct new_flow *new, const struct choice *choice)
{
	bool is_cross = family != new_family, is_fullnat = is_cross || new->method == METHOD_FULLNAT;
	int result = NO_ROOM;

	if (is_fullnat && walk->packet.rare & RARE_PORTLESS)
		return drop(hook, REASON_NO_LOCAL_PORT); /* nothing would tell two clients' replies apart */
	for (int i = 0; i < TUPLE_TRIES; i++) {
		if (is_fullnat) {
			enum reason reason = choose_source(new, local_address(choice, is_cross, walk->way, i));

			/* The ports of one of the service's addresses are used up: another may have some. */
			if (reason == REASON_NO_LOCAL_PORT && i + 1 < TUPLE_TRIES)
				continue;
			if (reason != REASON_NONE)
				return drop(hook, reason);
		}
		if (new->has_reply)
			turn(new_family, &new->reply, &new->new);
		copy_addresses(new_family, &walk->new_addresses, &new->new.addresses);
		walk->new_ports = new->new.ports;
		walk->new_family = new_family;
		if (hook == HOOK_TRACE)
			return VERDICT_NEXT;
		result = insert_connection(family, new_family, new);
		if (result != TUPLE_TAKEN)
			break;
		if (!is_fullnat && !end_closing_owner(new))
			break;
	}
	if (result == INSERTED) {
		walk->slot = new->slot;
		walk->flow = flow_at(new->slot);
		walk->is_new = 1;
		if (!(choice->service.flags & SERVICE_EXPECTED))
			walk->counters = count_new(new->destination);
		return VERDICT_NEXT;
	}
	if (result == EXISTS) {
		for (int i = 0; i < RACE_TRIES; i++) {
			walk->slot = find_tuple(&new->key);
			walk->flow = flow_at(walk->slot);
			if (walk->flow)
				return VERDICT_NEXT;
		}
		return drop(hook, REASON_FLOW_RACE);
	}
	if (result == TUPLE_TAKEN)
		return drop(hook, is_fullnat ? REASON_NO_LOCAL_PORT : REASON_TUPLE_IN_USE);
	return new->has_reply ? drop(hook, REASON_TABLE_FULL) : VERDICT_NEXT;
}

/* -- the walk's middle -- */

/* A packet amid a TCP connection that never got an entry, for the table was full when it began. */
static __always_inline bool may_be_stateless(__u32 now)
{
	struct settings *set = live_settings();

	return set && set->stateless_until && (__s32)(now - set->stateless_until) < 0;
}

static __always_inline void note_stateless(__u32 now)
{
	struct settings *set = live_settings();
	__u32 until;

	count_event(EVENT_STATELESS);
	if (!set)
		return;
	until = now + set->timeout_s[STATE_ESTABLISHED] * set->hz;
	if (READ_ONCE(set->stateless_until) != until)
		WRITE_ONCE(set->stateless_until, until ? until : 1);
}

static __always_inline void trace_service(enum hook hook, const struct service *service)
{
	struct trace *trace = hook == HOOK_TRACE ? current_trace() : NULL;

	if (trace) {
		trace->service = service->id;
		trace->scheduler = service->scheduler;
	}
}

/* For a client of a persistent service the same answer for all its connections. */
static __always_inline bool choose_stateless(enum family family, struct opening *opening)
{
	if (opening->choice.service.flags & SERVICE_PERSISTENT) {
		name_template(family, opening);
		opening->choice.flow_hash = flow_hash(family, &opening->template.key.addresses, 0);
	}
	return schedule_stateless(&opening->choice);
}

/*
 * Which destination the packet goes to: UNKNOWN when there is none, CLOSING when its template is just ending, KNOWN otherwise.
 * `is_amid`: the same answer for all packets of a connection, and no template.
 */
static __always_inline enum known choose_destination(enum family family, struct opening *opening, bool is_amid)
{
	struct choice *choice = &opening->choice;
	enum known known = UNKNOWN;

	if (is_amid)
		return choose_stateless(family, opening) ? KNOWN : UNKNOWN;
	if (!(choice->service.flags & SERVICE_PERSISTENT))
		return choose(choice) ? KNOWN : UNKNOWN;
	if (choice->service.flags & SERVICE_OF_TWIN)
		return KNOWN;
	name_template(family, opening);
	known = follow_template(opening);
	if (known != UNKNOWN)
		return known;
	if (!choose(choice))
		return UNKNOWN;
	if (choice->commit && make_template(opening) == EXISTS) {
		known = follow_template(opening);
		return known == UNKNOWN ? CLOSING : known;
	}
	return KNOWN;
}

/* IPVS's ip_vs_schedule and ip_vs_leave: a service that can't take this packet, though it was found for it. */
static __always_inline bool is_foreign(const struct choice *choice, const struct packet *packet)
{
	return !(choice->service.flags & SERVICE_PERSISTENT) && choice->key.protocol &&
	       (__u16)(packet->ports >> 16) != choice->key.port;
}

/* Gate and tunnel, and no room: the choice must be one that the connection's next packet comes to as well. */
static __always_inline enum verdict open_stateless(void *ctx, enum hook hook, enum family family, struct walk *walk,
						   struct opening *opening, enum reason *reason)
{
	const struct choice *choice = &opening->choice;
	struct destination *destination;

	if (!choose_stateless(family, opening)) {
		*reason = REASON_NO_DESTINATION;
		return VERDICT_DROP;
	}
	if (translates_within(choice->method))
		return drop(hook, REASON_TABLE_FULL);
	destination = destination_at(choice->destination);
	if (!destination)
		return VERDICT_PASS;
	walk->destination = choice->destination;
	walk->method = choice->method;
	walk->is_stateless = 1;
	note_stateless(walk->now);
	return VERDICT_NEXT;
}

/* A packet of a connection that is not known; of a sloppy protocol, and if it does not end one, it begins one. */
static __always_inline bool is_lost(const struct packet *packet, const struct settings *set)
{
	if (!is_amid_connection(packet))
		return false;
	if (packet->protocol == IPPROTO_SCTP)
		return !set->sloppy_sctp || packet->sctp_event == SCTP_EVENT_ABORT;
	return !set->sloppy_tcp || packet->tcp_flags & TCP_RST;
}

enum found {
	FOUND_NONE,
	FOUND, /* the service is in this hook's opening */
	FOUND_AND_DROPPED, /* drop_packet has it refused */
};

/* What find_service is told beside a packet: its hook and, from bit 8 on, its family; and whether it begins a connection. */
#define FIND_FAMILY_SHIFT 8
#define FIND_BEGINS (1U << 16)

/* Another with each change of services, and odd while one is being made (src/dataplane/table-version.ts). */
static __always_inline __u32 table_version(void)
{
	__u32 zero = 0;
	struct instance *instance = bpf_map_lookup_elem(&instances, &zero);

	return instance ? READ_ONCE(instance->table_version) : 1;
}

static __always_inline bool is_same_key(const struct service_key *a, const struct service_key *b)
{
	const __u64 *words = (const void *)a, *others = (const void *)b;

	_Static_assert(sizeof(*a) == 20, "two words and a half");
	return words[0] == others[0] && words[1] == others[1] && ((const __u32 *)a)[4] == ((const __u32 *)b)[4];
}

static __always_inline bool was_asked(const struct asked *last, const struct service_key *key, __u32 mark,
				      __u32 version)
{
	return last->version == version && !(version & 1) && last->mark == mark && is_same_key(&last->key, key);
}

/* NULL: none; else its name is in `key`, which was what the packet asks for. */
static __always_inline struct service *look_for_service(const struct settings *set, struct service_key *key,
							__u64 ports, __u32 mark)
{
	struct service_key by_mark = {.family = key->family};
	struct service *service;
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&service_tables, &zero);

	if (!table)
		return NULL;
	if (!mark)
		return look_up_service(table, set->lookups, key, ports);
	name_mark(&by_mark, mark);
	service = bpf_map_lookup_elem(table, &by_mark);
	if (!service)
		return look_up_service(table, set->lookups, key, ports);
	*key = by_mark;
	return service;
}

/* enum found. By itself, for the stack ends soon in what calls it. */
__noinline int find_service(__u64 target_low, __u64 target_high, __u64 ports, __u32 mark, __u32 about)
{
	struct settings *set = live_settings();
	__u32 hook = (__u8)about, version;
	struct service_key key = {};
	struct service *service;
	struct opening *opening;

	opening = bpf_map_lookup_elem(&openings, &hook);
	if (!set || !opening)
		return FOUND_NONE;
	asm volatile("" : "+r"(opening)); /* or clang adds before it compares, which the verifier refuses */
	if (!(set->lookups & LOOKUP_MARK))
		mark = 0;
	key.family = about >> FIND_FAMILY_SHIFT;
	name_target(&key, target_low, target_high, ports);
	version = table_version();
	if (!was_asked(&opening->asked, &key, mark, version)) {
		forget_asked(opening);
		opening->asked.key = key;
		service = look_for_service(set, &key, ports, mark);
		if (!service)
			return FOUND_NONE;
		opening->choice.service = *service;
		opening->choice.key = key;
		opening->asked.mark = mark;
		opening->asked.version = version;
	}
	if (set->drop_packet && about & FIND_BEGINS && is_to_drop())
		return FOUND_AND_DROPPED;
	opening->new.controller = NO_SLOT;
	return FOUND;
}

static __always_inline int find_service_of(void *ctx, enum hook hook, enum family family, const struct packet *packet,
					   const struct settings *set, bool is_amid)
{
	const struct addresses *addresses = &packet->addresses;
	__u32 mark = 0, about = hook | family << FIND_FAMILY_SHIFT;

	if (hook == HOOK_TRACE || set->lookups & LOOKUP_MARK)
		mark = mark_of(ctx, hook, family, packet);
	if (hook != HOOK_TRACE && !is_amid)
		about |= FIND_BEGINS;
	if (family == FAMILY_4)
		return find_service(addresses->word[0] >> 32, 0, packet->ports, mark, about);
	return find_service(addresses->word[2], addresses->word[3], packet->ports, mark, about);
}

/*
 * What most new connections are: of IPv4, and for the service that was found last. That is told without a call; what is to be marked,
 * or to be dropped now and then, find_service looks at.
 */
static __always_inline bool is_found_again(const struct opening *opening, const struct settings *set,
					   const struct packet *packet)
{
	const struct asked *last = &opening->asked;
	__u32 rest = ((const __u32 *)&last->key)[4], version = table_version();

	_Static_assert(offsetof(struct service_key, port) == 16 && offsetof(struct service_key, protocol) == 18 &&
			       offsetof(struct service_key, family) == 19,
		       "the rest of a key is what stands in a packet's ports, and the family");
	return last->version == version && !(version & 1) && !last->mark &&
	       rest == ((__u32)(packet->ports >> 16) | FAMILY_4 << 24) &&
	       last->key.vip.word[0] == packet->addresses.word[0] >> 32 && !(set->lookups & LOOKUP_MARK) &&
	       !set->drop_packet;
}

/* A live entry with the opening's key, whose destination is there still. NULL: none. */
static __always_inline struct flow *find_followed(struct opening *opening, struct destination **destination,
						  __u32 *slot)
{
	struct tuple key = opening->new.key;
	struct flow *flow;

	*slot = find_tuple(&key);
	flow = flow_at(*slot);
	if (!flow || flow_kind(flow->control) != FLOW_LIVE)
		return NULL;
	*destination = destination_at(flow->destination);
	return *destination && !is_gone(*destination) ? flow : NULL;
}

/* 1: the packet's twin has an entry, and the opening is made to follow it. */
__noinline int follow_twin(__u32 hook, __u32 family)
{
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	struct destination *destination;
	struct choice *choice;
	struct tuple twin;
	struct flow *flow;
	__u32 slot;

	if (!opening)
		return 0;
	asm volatile("" : "+r"(opening)); /* or clang adds before it compares, which the verifier refuses */
	choice = &opening->choice;
	flow = find_followed(opening, &destination, &slot);
	if (!flow)
		return 0;
	twin = opening->new.key;
	forget_asked(opening);
	__builtin_memset(&choice->service, 0, sizeof(choice->service));
	choice->service.id = NO_SERVICE;
	/* For its name and its local addresses. */
	if (family == FAMILY_4)
		find_service(twin.addresses.word[0] >> 32, 0, twin.ports, 0, hook | FAMILY_4 << FIND_FAMILY_SHIFT);
	else
		find_service(twin.addresses.word[2], twin.addresses.word[3], twin.ports, 0,
			     hook | FAMILY_6 << FIND_FAMILY_SHIFT);
	forget_asked(opening);
	choice->service.flags |= SERVICE_OF_TWIN | SERVICE_PERSISTENT; /* the latter keeps ports other than its own */
	choice->destination = flow->destination;
	choice->method = READ_ONCE(destination->method);
	opening->new.controller = controller_of(flow, flow->control);
	flow = flow_at(opening->new.controller);
	if (hook == HOOK_TRACE || !flow || !hold_template(flow))
		opening->new.controller = NO_SLOT;
	return 1;
}

static __always_inline bool follow_exchange(enum hook hook, enum family family, const struct packet *packet)
{
	struct opening *opening;
	__u32 key = hook;

	opening = bpf_map_lookup_elem(&openings, &key);
	if (!opening)
		return false;
	copy_addresses(family, &opening->new.key.addresses, &packet->addresses);
	opening->new.key.ports = twin_ports(packet->ports);
	opening->new.key.family = family;
	return follow_twin(hook, family);
}

/* The choice that another entry has made. */
static __always_inline void choose_as(struct choice *choice, __u32 destination, __u32 flags)
{
	__builtin_memset(&choice->service, 0, sizeof(choice->service));
	__builtin_memset(&choice->key, 0, sizeof(choice->key));
	choice->service.id = NO_SERVICE;
	choice->service.flags = flags;
	choice->destination = destination;
}

/* 1: an entry waits for this packet, by the key in the opening, which is made to follow it. */
__noinline int follow_waiting(__u32 hook)
{
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	struct destination *destination;
	struct choice *choice;
	struct flow *flow;
	__u32 slot;

	if (!opening)
		return 0;
	asm volatile("" : "+r"(opening)); /* or clang adds before it compares, which the verifier refuses */
	choice = &opening->choice;
	flow = find_followed(opening, &destination, &slot);
	if (!flow || !(flow->control & FLOW_FTP)) /* a client's port may be 0 too */
		return 0;
	forget_asked(opening);
	choose_as(choice, flow->destination, SERVICE_EXPECTED | SERVICE_OF_TWIN | SERVICE_PERSISTENT);
	choice->method = METHOD_MASQ;
	opening->new.controller = NO_SLOT;
	opening->waiting = slot;
	return 1;
}

/* ip_vs_conn_in_get's second look, for a connection whose client's port was not known. */
static __always_inline bool follow_expected(enum hook hook, enum family family, const struct packet *packet)
{
	struct opening *opening;
	__u32 key = hook;

	opening = bpf_map_lookup_elem(&openings, &key);
	if (!opening || packet->protocol != IPPROTO_TCP || !begins(packet))
		return false;
	copy_addresses(family, &opening->new.key.addresses, &packet->addresses);
	opening->new.key.ports = packet->ports & ~0xffffULL;
	opening->new.key.family = family;
	return follow_waiting(hook);
}

/* The connection is there, so nothing waits for it any more; its control connection knows it. */
__noinline int end_waiting(__u32 hook)
{
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	struct session fresh = {}, *session;
	__u32 slot, control;
	struct flow *flow;

	if (!opening)
		return 0;
	slot = opening->waiting;
	session = bpf_map_lookup_elem(&sessions, &slot);
	control = session ? session->control : NO_SLOT;
	flow = flow_at(slot);
	if (flow && flow->control & FLOW_FTP)
		end_connection(slot, READ_ONCE(flow->life));
	flow = flow_at(control);
	if (!flow || flow_kind(flow->control) != FLOW_LIVE || !(flow->control & FLOW_FTP))
		return 0;
	session = bpf_map_lookup_elem(&sessions, &control);
	if (session)
		fresh = *session;
	fresh.data = opening->new.key;
	return bpf_map_update_elem(&sessions, &control, &fresh, BPF_ANY);
}

/* Does who chooses ask who the packet is from and for? wlc, which most services have, does not. */
static __always_inline bool is_described(const struct choice *choice)
{
	return choice->service.scheduler != SCHEDULER_WLC || choice->service.flags & SERVICE_PERSISTENT;
}

/* What the scheduler is told about a packet. */
static __always_inline void describe(enum family family, struct choice *choice, const struct packet *packet)
{
	choice->source = source_of(family, &packet->addresses);
	choice->target = target_of(family, &packet->addresses);
	choice->source_port = bpf_ntohs(packet->ports);
}

/* The port at the real server: its own if it has one; but a persistent service keeps ports other than the service's. */
static __always_inline __u16 port_of(const struct choice *choice, const struct packet *packet,
				     const struct destination *destination)
{
	__u16 port = packet->ports >> 16;

	if (!destination->port || !(__u32)packet->ports ||
	    (choice->service.flags & SERVICE_PERSISTENT && choice->key.port != port))
		return port;
	return destination->port;
}

/* ip_vs_ftp's connections: of whatever service. Not the director's own. */
static __always_inline bool is_ftp(const struct packet *packet, __u32 method)
{
	return (packet->ports & ~0xffffULL) == ((__u32)bpf_htons(FTP) << 16 | (__u64)IPPROTO_TCP << 32) &&
	       method == METHOD_MASQ;
}

/* As ip_vs_sched_persist: the engine of a service that is not persistent is not asked, and nobody else is served. */
static __always_inline bool asks_for_call_id(const struct choice *choice)
{
	__u32 asking = SERVICE_CALL_ID | SERVICE_PERSISTENT;

	return (choice->service.flags & asking) == asking && !(choice->service.flags & SERVICE_OF_TWIN);
}

/* IPVS's IP_VS_CONN_F_ONE_PACKET: of UDP only. */
static __always_inline bool is_one_packet(const struct choice *choice, const struct packet *packet)
{
	return choice->service.flags & SERVICE_ONE_PACKET && packet->protocol == IPPROTO_UDP;
}

/* FTP's part in a new entry. */
static __always_inline void note_entered(enum hook hook, const struct choice *choice, const struct new_flow *new)
{
	if (new->ftp)
		forget_session(new->slot); /* which a late packet of whoever had the slot before may have noted */
	if (choice->service.flags & SERVICE_EXPECTED)
		end_waiting(hook);
}

/*
 * `hash`: the packet's flow_hash(). NEXT with walk->flow set, or without it and with destination and method set (stateless, to the other family, or only traced). PASS: not ours.
 * DROP: `reason` has been counted; only REASON_NO_DESTINATION is left for the caller to answer.
 */
static __always_inline enum verdict open_flow(void *ctx, enum hook hook, enum family family, struct walk *walk,
					      __u64 hash, enum reason *reason)
{
	const struct packet *packet = &walk->packet;
	const struct settings *set = live_settings();
	struct destination *destination;
	struct opening *opening;
	struct new_flow *new;
	struct choice *choice;
	enum verdict verdict;
	enum known known;
	__u32 key = hook;
	enum found found;
	bool is_amid;

	if (!set || (__u16)packet->ports == bpf_htons(FTP_DATA))
		return VERDICT_PASS;
	is_amid = is_lost(packet, set);
	if (is_amid && !may_be_stateless(walk->now))
		return VERDICT_PASS;
	opening = bpf_map_lookup_elem(&openings, &key);
	if (!opening)
		return VERDICT_PASS;
	choice = &opening->choice;
	new = &opening->new;
	if (!(set->lookups & LOOKUP_FTP_DATA && follow_expected(hook, family, packet)) &&
	    !(set->lookups & LOOKUP_IKE && twin_ports(packet->ports) && follow_exchange(hook, family, packet))) {
		if (family == FAMILY_4 && hook != HOOK_TRACE && is_found_again(opening, set, packet)) {
			new->controller = NO_SLOT;
		} else {
			found = find_service_of(ctx, hook, family, packet, set, is_amid);
			if (found != FOUND)
				return found == FOUND_AND_DROPPED ? drop(hook, REASON_DROP_PACKET) : VERDICT_PASS;
		}
	}
	choice->now = walk->now;
	choice->commit = hook != HOOK_TRACE;
	if (is_described(choice))
		describe(family, choice, packet);
	choice->flow_hash = hash;
	trace_service(hook, &choice->service);
	copy_addresses(family, &new->key.addresses, &packet->addresses);
	new->key.ports = packet->ports;
	new->key.family = family;
	new->home = home_by(hash);
	if (is_foreign(choice, packet)) {
		if (choice->key.port == bpf_htons(FTP))
			return VERDICT_PASS;
		*reason = REASON_NO_DESTINATION;
		return VERDICT_DROP;
	}
	if (asks_for_call_id(choice) && !read_call_id(ctx, hook, family, packet))
		return drop(hook, REASON_NO_CALL_ID);
	if (is_one_packet(choice, packet))
		return VERDICT_ONE_PACKET;
	known = choose_destination(family, opening, is_amid);
	if (known == CLOSING)
		return drop(hook, REASON_FLOW_RACE);
	if (known == UNKNOWN) {
		if (choice->key.port == bpf_htons(FTP) && (__u16)(packet->ports >> 16) != bpf_htons(FTP))
			return VERDICT_PASS;
		*reason = REASON_NO_DESTINATION;
		return VERDICT_DROP;
	}
	new->has_reply = translates_within(choice->method);
	new->own = new->has_reply &&hook == HOOK_TC &&is_made_here(ctx) ? FLOW_OWN : 0;
	if (is_amid && new->has_reply)
		return VERDICT_PASS;
	destination = destination_at(choice->destination);
	if (!destination)
		return VERDICT_PASS;
	walk->destination = choice->destination;
	walk->method = choice->method;
	new->destination = choice->destination;
	new->method = choice->method;
	new->state = next_state(packet, direction_of(false, choice->method), STATE_NONE);
	if (choice->method == METHOD_FULLNAT && packet->protocol == IPPROTO_UDP && READ_ONCE(destination->uoa))
		new->state = STATE_UDP_UNTOLD;
	new->now = walk->now;
	new->template_s = 0;
	new->ftp = (set->lookups & LOOKUP_FTP_DATA) && is_ftp(packet, choice->method) && !new->own ? FLOW_FTP : 0;
	new->is_entered = 0;
	copy_addresses(family, &new->new.addresses, &packet->addresses);
	new->new.family = family;
	new->new.ports = (packet->ports & ~0xffff0000ULL) | (__u64)port_of(choice, packet, destination) << 16;
	if (choice->method == METHOD_FULLNAT) {
		if (READ_ONCE(destination->family) != family) {
			walk->method = METHOD_CROSS; /* cross.h enters it */
			return VERDICT_NEXT;
		}
		/* For its source; others' ways are for the walk's end. */
		way_to_destination(ctx, hook, family, destination, walk->now, walk->way);
	}
	if (new->has_reply)
		set_target(&new->new, &destination->rip);
	verdict = enter(hook, family, family, walk, new, choice);
	if (new->is_entered)
		note_entered(hook, choice, new);
	if (new->controller != NO_SLOT && hook != HOOK_TRACE)
		leave_template(new->controller, new);
	if (verdict != VERDICT_NEXT || walk->flow || hook == HOOK_TRACE)
		return verdict;
	if (choice->service.flags & SERVICE_OF_TWIN)
		return drop(hook, REASON_TABLE_FULL);
	return open_stateless(ctx, hook, family, walk, opening, reason);
}
