/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The states of a connection; those of TCP as net/netfilter/ipvs/ip_vs_proto_tcp.c has them. */
#pragma once

#include "flow.h"
#include "parse.h"
#include "sctp.h"

enum tcp_event {
	TCP_EVENT_SYN,
	TCP_EVENT_FIN,
	TCP_EVENT_ACK,
	TCP_EVENT_RST,
	TCP_EVENT_NONE,
	TCP_EVENTS,
};

#define NO STATE_NONE
#define ES STATE_ESTABLISHED
#define SS STATE_SYN_SENT
#define SR STATE_SYN_RECV
#define FW STATE_FIN_WAIT
#define TW STATE_TIME_WAIT
#define CL STATE_CLOSE
#define CW STATE_CLOSE_WAIT
#define LA STATE_LAST_ACK
#define LI STATE_LISTEN
#define SA STATE_SYNACK

/* clang-format off */
static const __u8 tcp_next_state[DIRECTIONS][TCP_EVENTS][TCP_STATES] = {
	[DIRECTION_IN] = {		/*  NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
		[TCP_EVENT_SYN] =	{ SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
		[TCP_EVENT_FIN] =	{ CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW },
		[TCP_EVENT_ACK] =	{ ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[TCP_EVENT_RST] =	{ CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR },
		[TCP_EVENT_NONE] =	{ CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[DIRECTION_OUT] = {
		[TCP_EVENT_SYN] =	{ SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR },
		[TCP_EVENT_FIN] =	{ TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
		[TCP_EVENT_ACK] =	{ ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
		[TCP_EVENT_RST] =	{ CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
		[TCP_EVENT_NONE] =	{ CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[DIRECTION_IN_ONLY] = {
		[TCP_EVENT_SYN] =	{ SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
		[TCP_EVENT_FIN] =	{ CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
		[TCP_EVENT_ACK] =	{ ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[TCP_EVENT_RST] =	{ CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
		[TCP_EVENT_NONE] =	{ CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
};

/* secure_tcp: for masq a connection is established by what the real server says (tcp_states_dos). */
static const __u8 tcp_secure_state[DIRECTIONS][TCP_EVENTS][TCP_STATES] = {
	[DIRECTION_IN] = {		/*  NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
		[TCP_EVENT_SYN] =	{ SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA },
		[TCP_EVENT_FIN] =	{ CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA },
		[TCP_EVENT_ACK] =	{ ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA },
		[TCP_EVENT_RST] =	{ CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
		[TCP_EVENT_NONE] =	{ CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[DIRECTION_OUT] = {
		[TCP_EVENT_SYN] =	{ SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA },
		[TCP_EVENT_FIN] =	{ TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
		[TCP_EVENT_ACK] =	{ ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
		[TCP_EVENT_RST] =	{ CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
		[TCP_EVENT_NONE] =	{ CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[DIRECTION_IN_ONLY] = {
		[TCP_EVENT_SYN] =	{ SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA },
		[TCP_EVENT_FIN] =	{ CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
		[TCP_EVENT_ACK] =	{ ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[TCP_EVENT_RST] =	{ CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
		[TCP_EVENT_NONE] =	{ CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
};
/* clang-format on */

#undef NO
#undef ES
#undef SS
#undef SR
#undef FW
#undef TW
#undef CL
#undef CW
#undef LA
#undef LI
#undef SA

/* RST before SYN before FIN before ACK; a packet with none of them closes, as in IPVS. */
static __always_inline enum tcp_event tcp_event_of(__u8 flags)
{
	if (flags & TCP_RST)
		return TCP_EVENT_RST;
	if (flags & TCP_SYN)
		return TCP_EVENT_SYN;
	if (flags & TCP_FIN)
		return TCP_EVENT_FIN;
	if (flags & TCP_ACK)
		return TCP_EVENT_ACK;
	return TCP_EVENT_NONE;
}

static __always_inline enum direction direction_of(bool is_reply, __u32 method)
{
	if (is_reply)
		return DIRECTION_OUT;
	return translates(method) ? DIRECTION_IN : DIRECTION_IN_ONLY;
}

/* Of a packet of this entry. Where an answer by gate or tunnel was seen, both directions are (IP_VS_CONN_F_NOOUTPUT). */
static __always_inline enum direction direction_with(bool is_reply, __u32 control)
{
	enum direction direction = direction_of(is_reply, flow_method(control));

	return direction == DIRECTION_IN_ONLY && control & FLOW_OWN ? DIRECTION_IN : direction;
}

/* What IPVS counts as ActiveConn; all else is InActConn. */
static __always_inline bool is_active(__u32 state)
{
	const __u64 active = 1ULL << STATE_ESTABLISHED | 1ULL << STATE_SYN_SENT | 1ULL << STATE_SYN_RECV |
			     1ULL << STATE_SYNACK | 1ULL << STATE_SCTP_ESTABLISHED;

	_Static_assert(STATES <= 64, "a bit for each");
	return active >> (state & 63) & 1;
}

/* The two tables differ only in what follows a SYN, or the states that one makes. */
static __always_inline bool may_be_secured(__u32 event, __u32 state)
{
	return event == TCP_EVENT_SYN || state == STATE_SYN_RECV || state == STATE_SYNACK;
}

/* `event`: enum tcp_event, or above those enum sctp_event. */
static __always_inline __u32 state_by(__u32 direction, __u32 event, __u32 state)
{
	const __u8 *table = &tcp_next_state[0][0][0];
	__u32 at = (direction * TCP_EVENTS + event) * TCP_STATES + state;

	if (event >= TCP_EVENTS)
		return sctp_state_after(direction, event - TCP_EVENTS, state);
	if (state >= TCP_STATES || direction >= DIRECTIONS)
		return STATE_CLOSE;
	if (may_be_secured(event, state)) {
		const struct settings *set = live_settings();

		if (set && set->secure_tcp >= DEFENCE_ON_BY_NEED)
			table = &tcp_secure_state[0][0][0];
	}
	asm volatile("" : "+r"(at)); /* or clang leaves this comparison out, whose parts the verifier has forgotten */
	return at < sizeof(tcp_next_state) ? table[at] : STATE_CLOSE;
}

/* By itself: the verifier goes through it once, and not for each packet that there is. */
__noinline __u32 state_after(__u32 direction, __u32 event, __u32 state)
{
	return state_by(direction, event, state);
}

static __always_inline __u32 event_of(const struct packet *packet)
{
	return packet->protocol == IPPROTO_SCTP ? TCP_EVENTS + packet->sctp_event : tcp_event_of(packet->tcp_flags);
}

/* The state after a packet; `state` may be any value, for it comes from a map. */
static __always_inline __u32 next_state(const struct packet *packet, enum direction direction, __u32 state)
{
	/* UDP, ESP and AH, in one comparison: none of the others that come here is in between. */
	if (packet->protocol >= IPPROTO_UDP && packet->protocol <= IPPROTO_AH)
		return STATE_UDP;
	return state_after(direction, event_of(packet), state);
}

/* Of an entry of this kind: for both states its destination counts it alike. 1: it had another one. */
__noinline int set_state(__u32 slot, __u32 kind, __u32 state)
{
	struct flow *flow = flow_at(slot); /* none for NO_PARTNER */

	if (!flow || state >= STATES)
		return 0;
	for (int i = 0; i < 4; i++) {
		__u64 life = READ_ONCE(flow->life), changed;

		if (flow_kind(life) != kind || flow_state(life) == state)
			return 0;
		changed = (life & ~((__u64)FLOW_STATE_MASK << FLOW_STATE_SHIFT)) | (__u64)state << FLOW_STATE_SHIFT;
		if (__sync_val_compare_and_swap(&flow->life, life, changed) == life)
			return 1;
	}
	return 0;
}

/* The copy that a reply's entry keeps, so that its packets need not touch the connection's own line. */
static __always_inline int copy_state(__u32 slot, __u32 state)
{
	return set_state(slot, FLOW_REPLY, state);
}

/* A template with a connection that came to be: drop_entry spares it. Only whoever holds it may say so. */
__noinline int assure_template(__u32 slot)
{
	struct flow *flow = flow_at(slot);

	if (!flow)
		return 0;
	for (int i = 0; i < 4; i++) {
		__u64 life = READ_ONCE(flow->life), changed;

		if (flow_kind(life) != FLOW_LIVE || flow_state(life) != STATE_NONE)
			return 0;
		changed = life | (__u64)STATE_ASSURED << FLOW_STATE_SHIFT;
		if (__sync_val_compare_and_swap(&flow->life, life, changed) == life)
			return 1;
	}
	return 0;
}

/*
 * Takes the connection in `slot` to the state that follows from `event`. Every change of a destination's counts belongs to
 * exactly one successful swap of the entry's life word: that is why they stay equal to the entries. Returns the state.
 */
__noinline __u32 change_state(__u32 slot, __u32 event, __u32 direction, __u32 now)
{
	struct flow *flow = flow_at(slot);
	__u32 state = STATE_CLOSE;

	if (!flow || direction >= DIRECTIONS)
		return state;
	for (int i = 0; i < 8; i++) {
		__u64 life = READ_ONCE(flow->life);
		__u32 control = life, changed;
		struct destination *destination;

		if (flow_kind(control) != FLOW_LIVE)
			break;
		state = state_by(direction, event, flow_state(control));
		changed = (control & ~(FLOW_STATE_MASK << FLOW_STATE_SHIFT | FLOW_INACTIVE)) |
			  state << FLOW_STATE_SHIFT | (is_active(state) ? 0 : FLOW_INACTIVE);
		if (changed == control)
			break;
		if (__sync_val_compare_and_swap(&flow->life, life, (__u64)now << 32 | changed) != life)
			continue;
		destination = destination_at(flow->destination);
		if (destination && (changed ^ control) & FLOW_INACTIVE) {
			__sync_fetch_and_add(&destination->active, changed & FLOW_INACTIVE ? -1 : 1);
			__sync_fetch_and_add(&destination->inactive, changed & FLOW_INACTIVE ? 1 : -1);
			note_load(destination);
		}
		if (state == STATE_ESTABLISHED || state == STATE_SCTP_ESTABLISHED)
			assure_template(controller_of(flow, control)); /* none for NO_SLOT */
		break;
	}
	return state;
}

/* What most packets are: of a connection that stays as it is, and whose text nobody reads. */
static __always_inline bool changes_nothing(const struct packet *packet, __u32 control)
{
	/* In one comparison. */
	__u32 is_established =
		(control & (FLOW_STATE_MASK << FLOW_STATE_SHIFT | FLOW_FTP)) == STATE_ESTABLISHED << FLOW_STATE_SHIFT;

	if (packet->rare & RARE_PORTLESS)
		return true;
	if (packet->protocol == IPPROTO_UDP)
		return flow_state(control) == STATE_UDP;
	if (packet->protocol == IPPROTO_SCTP)
		return false;
	return is_established && (packet->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* All that the walk does for such a packet beside what is done for most is to follow it. */
static __always_inline bool is_only_followed(const struct packet *packet, __u32 control)
{
	if (packet->protocol != IPPROTO_TCP || control & FLOW_FTP)
		return false;
	return flow_kind(control) == FLOW_REPLY ||
	       (!(packet->tcp_flags & TCP_SYN) &&
		(flow_method(control) != METHOD_FULLNAT || flow_state(control) != STATE_SYN_RECV));
}

/* A packet that may begin a connection, where the one of its addresses and ports is over. */
static __always_inline bool begins(const struct packet *packet)
{
	return packet->protocol == IPPROTO_SCTP ? packet->sctp_event == SCTP_EVENT_INIT : packet->tcp_flags & TCP_SYN;
}

/* A packet of a protocol with connections that is none's first. */
static __always_inline bool is_amid_connection(const struct packet *packet)
{
	if (packet->protocol == IPPROTO_SCTP)
		return packet->sctp_event != SCTP_EVENT_INIT;
	return packet->protocol == IPPROTO_TCP && (packet->tcp_flags & (TCP_SYN | TCP_RST)) != TCP_SYN;
}

/* Only on change: storing it for every packet makes the line travel between CPUs (measured: 38 ns against 9). */
static __always_inline void note_seen(struct flow *flow, __u32 now)
{
	if (READ_ONCE(flow->seen) != now)
		WRITE_ONCE(flow->seen, now);
}

#define AGAIN_PER_S 4 /* nobody asks again sooner; the same packet comes by XDP and by TC */

/* The real server does not answer, and the client asks again; or it refuses. Who forges addresses does not ask again. */
static __always_inline void note_failure(const struct flow *flow, __u32 event, __u32 is_reply, __u32 state, __u32 idle)
{
	struct destination *destination;
	const struct settings *set;

	if (state != STATE_SYN_RECV || !(is_reply | idle) || event != (is_reply ? TCP_EVENT_RST : TCP_EVENT_SYN))
		return;
	set = live_settings();
	destination = destination_at(flow->destination);
	if (set && destination && (is_reply || idle * AGAIN_PER_S >= set->hz))
		__sync_fetch_and_add(&destination->failures, 1);
}

/* What a packet of TCP or SCTP does to its connection. `slot`: of the entry that it was found by. */
__noinline int follow(__u32 slot, __u32 event, __u32 is_reply, __u32 now)
{
	struct flow *flow = flow_at(slot);
	__u32 control, state, next, partner, direction;

	if (!flow)
		return 0;
	control = READ_ONCE(flow->control);
	state = flow_state(control);
	note_failure(flow, event, is_reply, state, now - READ_ONCE(flow->seen));
	note_seen(flow, now);
	direction = direction_with(is_reply, control);
	/* A reply's entry has a copy of the state: the connection's own line is left alone while nothing changes. */
	if (is_reply && state_by(direction, event, state) == state)
		return 0;
	partner = partner_of(flow, control);
	next = change_state(is_reply ? partner : slot, event, direction, now);
	if (!is_reply && next == state)
		return 0;
	return copy_state(is_reply ? slot : partner, next);
}

/* One packet's effect on its connection: the state, and the time it was last seen. */
static __always_inline void track(struct flow *flow, __u32 slot, const struct packet *packet, bool is_reply, __u32 now)
{
	__u32 control = READ_ONCE(flow->control), partner;
	struct flow *connection;

	if (!changes_nothing(packet, control) && packet->protocol != IPPROTO_UDP) {
		follow(slot, event_of(packet), is_reply, now);
		return;
	}
	note_seen(flow, now);
	if (changes_nothing(packet, control))
		return;
	/* The first reply, of a connection under a template or that is yet to be told. */
	partner = partner_of(flow, control);
	connection = flow_at(partner);
	if (is_reply && copy_state(slot, STATE_UDP) && connection) {
		set_state(partner, FLOW_LIVE, STATE_UDP);
		assure_template(controller_of(connection, connection->control));
	}
}
