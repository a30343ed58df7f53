// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The director: a packet's walk, from top to bottom.
 *
 *   parse -> flow -> [service -> schedule -> new flow] -> way -> account -> forward
 *
 * The same walk runs at XDP and at TC. What XDP can't finish it leaves, untouched, to TC, which starts again: unknown neighbour,
 * tags, an answer by ICMP. `hook` and `family` are constants wherever they are used, so each program holds only its own branches.
 */
#include "account.h"
#include "cut.h"
#include "forward_tc.h"
#include "forward_xdp.h"
#include "icmp.h"
#include "open.h"
#include "leave.h"
#include "look.h"
#include "mss.h"
#include "parse.h"
#include "rare.h"
#include "sweep.h"
#include "tell.h"
#include "trace.h"

/* By these rules the next SYN of such a connection is a new one's, and is scheduled anew (is_new_conn_expected). */
static __always_inline bool is_ended(const struct flow *flow, __u32 control, const struct settings *set)
{
	__u32 state = flow_state(control), method = flow_method(control);

	if (!set->conn_reuse_mode || controller_of(flow, control) != NO_SLOT)
		return false;
	return state == STATE_TIME_WAIT || state == STATE_CLOSE || state == STATE_SCTP_CLOSED ||
	       (set->conn_reuse_mode & 2 && state == STATE_FIN_WAIT && !translates(method));
}

/* Must this packet of a known connection be scheduled anew? */
static __always_inline bool is_over(const struct flow *flow, __u32 control, const struct packet *packet,
				    const struct destination *destination)
{
	const struct settings *set = live_settings();

	if (!set || flow_kind(control) != FLOW_LIVE)
		return false;
	if (begins(packet) &&
	    (is_ended(flow, control, set) || (set->expire_nodest_conn && READ_ONCE(destination->weight) == 0)))
		return true;
	return is_gone(destination) && (set->expire_nodest_conn || READ_ONCE(destination->on_remove) != ON_REMOVE_KEEP);
}

/* The director's own stack is to answer it, which knows nothing of the connection. */
static __always_inline bool is_to_reset(const struct packet *packet, const struct destination *destination)
{
	return READ_ONCE(destination->on_remove) == ON_REMOVE_RESET && is_gone(destination) && !begins(packet);
}

/* XDP's first program has left such a packet already: see changes_nothing. What goes no further says nothing. */
static __always_inline bool reads_text(enum hook hook, const struct flow *flow, const struct packet *packet)
{
	return !is_for_established(hook) && hook != HOOK_TRACE && READ_ONCE(flow->control) & FLOW_FTP &&
	       packet->ttl > 1 && !(hook == HOOK_TC && was_read());
}

/* What stands in an entry, for the rest of the walk: all but IPv6 addresses. */
static __always_inline void take_facts(enum family family, struct walk *walk, const struct flow *flow)
{
	__u32 control = READ_ONCE(flow->control);

	walk->is_reply = flow_kind(control) == FLOW_REPLY;
	walk->method = flow_method(control);
	walk->destination = flow->destination;
	walk->new_family = family;
	if (family == FAMILY_4) {
		walk->new_addresses.word[0] = flow->new_addresses;
		walk->new_ports = flow->new_ports;
		return;
	}
	walk->extension = extension_of(flow, control);
	if (walk->extension)
		walk->new_ports = walk->extension->new.ports;
}

static __always_inline void take_addresses(enum family family, struct walk *walk)
{
	if (family == FAMILY_6 && walk->extension)
		walk->new_addresses = walk->extension->new.addresses;
}

static __always_inline void take_from(enum family family, struct walk *walk, const struct flow *flow)
{
	take_facts(family, walk, flow);
	take_addresses(family, walk);
}

/*
 * Why a packet can't take its way. XDP, which leaves all of these to TC, knows a way by its MAC, and so do programs of established
 * packets. `longer`: by how many bytes it leaves.
 */
static __always_inline enum reason obstacle(enum hook hook, struct walk *walk, __s32 longer)
{
	const struct packet *packet = &walk->packet;

	if (!is_xdp(hook) && !is_for_established(hook) && (__u32)walk->way->via <= LOOPBACK)
		return walk->way->fib == BPF_FIB_LKUP_RET_FWD_DISABLED ? REASON_FORWARDING_OFF : REASON_NO_ROUTE;
	if (packet->ttl <= 1)
		return REASON_TTL_EXCEEDED;
	if (changes_length(walk->method) && walk->way->mtu) {
		if (!is_xdp(hook) && !is_for_established(hook) && walk->way->mtu & MTU_WITHOUT_DF) {
			walk->way->mtu &= ~MTU_WITHOUT_DF;
			if (walk->new_family == FAMILY_4) /* of the packet in the tunnel */
				walk->packet.dont_fragment = 0;
		}
		walk->way->mtu -= longer;
	}
	if (walk->way->mtu && packet->segment > walk->way->mtu)
		return packet->dont_fragment ? REASON_TOO_BIG : REASON_MUST_FRAGMENT;
	return REASON_NONE;
}

/* Is a packet's sender told of this? */
static __always_inline bool is_told(enum reason reason)
{
	return reason == REASON_TOO_BIG || reason == REASON_TTL_EXCEEDED || reason == REASON_NO_DESTINATION;
}

static __always_inline enum verdict refuse(enum hook hook, enum family family, const struct walk *walk,
					   const struct destination *destination, enum reason reason)
{
	drop(hook, reason);
	/* Nobody is told about a later fragment (RFC 1122, 3.2.2). */
	if (hook != HOOK_TC || walk->packet.rare & RARE_LATER_FRAGMENT || !is_told(reason))
		return VERDICT_DROP;
	return answer_by_icmp(family, walk, destination, reason);
}

/* Is it for wrap.h or cross.h: to the other family, or by a tunnel that is more than IP in IP of one? One comparison for most. */
static __always_inline bool is_handed_over(enum family family, const struct walk *walk,
					   const struct destination *destination)
{
	return changes_length(walk->method) &&
	       (walk->method == METHOD_CROSS || READ_ONCE(destination->wrapping) != family);
}

/* gate and tunnel. The tags are off. */
static __always_inline enum verdict forward_whole(void *ctx, enum hook hook, enum family family,
						  const struct walk *walk, const struct destination *destination)
{
	const struct address *rip = &destination->rip;

	if (walk->method == METHOD_GATE)
		return is_xdp(hook) ? route_xdp(ctx, hook, family, walk) : route_tc(ctx, hook, family, walk);
	if (is_for_established(hook))
		walk->way->source = read_address(family, &destination->next_hop.source);
	if (is_none(&walk->way->source))
		return drop(hook, REASON_NO_LOCAL_ADDRESS);
	return is_xdp(hook) ? tunnel_xdp(ctx, hook, family, walk, rip) : tunnel_tc(ctx, hook, family, walk, rip);
}

static __always_inline enum verdict forward(void *ctx, enum hook hook, enum family family, struct walk *walk,
					    const struct destination *destination)
{
	if (!is_xdp(hook) && !take_tags_off(ctx, &walk->packet))
		return drop(hook, REASON_ADJUST_FAILED);
	if (translates_within(walk->method))
		return is_xdp(hook) ? translate_xdp(ctx, hook, family, walk) : translate_tc(ctx, hook, family, walk);
	return forward_whole(ctx, hook, family, walk, destination);
}

/* The real server is the director itself (Local), or the client that a reply is for. */
static __always_inline bool is_for_director(const struct walk *walk, enum reason reason)
{
	if (reason != REASON_NO_ROUTE)
		return false;
	return walk->is_reply ? walk->flow && walk->flow->control & FLOW_OWN : walk->way->via == LOOPBACK;
}

/* As IPVS: no packet that has left for another's address comes back to be the director's own (crosses_local_route_boundary). */
static __always_inline bool is_past_return(const struct __sk_buff *skb)
{
	return is_made_here(skb) && skb->ifindex != LOOPBACK;
}

#include "wrap.h"

/* Such a packet at TC: the director's own stack takes gate's and tunnel's as they are. */
static __always_inline enum verdict deliver(struct __sk_buff *skb, const struct walk *walk)
{
	if (!walk->is_reply && is_past_return(skb))
		return drop(HOOK_TC, REASON_NO_ROUTE);
	if (!translates(walk->method))
		return VERDICT_PASS;
	return hand_over(HOOK_TC, walk, false) == VERDICT_WRAP ? VERDICT_DELIVER : VERDICT_PASS;
}

/* An answer of the director itself, as masq's real server or to itself, which is where it leaves by already. */
static __always_inline bool is_on_its_way(const struct __sk_buff *skb, const struct walk *walk)
{
	return is_made_here(skb) && walk->is_reply && walk->flow &&
	       (walk->method == METHOD_MASQ || (walk->method == METHOD_FULLNAT && walk->flow->control & FLOW_OWN));
}

/* A translated packet, one of whose ends is the director itself, is where it belongs; but what has the director's source goes by lo. */
static __always_inline enum verdict let_go(struct __sk_buff *skb, const struct walk *walk)
{
	return !is_made_here(skb) && (walk->is_reply || walk->method == METHOD_FULLNAT) ? send_up(skb) : VERDICT_PASS;
}

#include "related.h"
#include "unwrap.h"

#include "cross.h"
#include "cross_related.h"

#include "tell_datagram.h"

/* The walk's end: way, account, forward. */
static __always_inline enum verdict send_on(void *ctx, enum hook hook, enum family family, struct walk *walk,
					    struct destination *destination)
{
	bool is_reply = walk->is_reply;
	struct address client = target_of(family, &walk->new_addresses); /* of a reply */
	bool is_known, is_own;
	enum reason reason;

	is_known = is_reply ? known_way_to_client(hook, family, &client, &walk->new_addresses, walk->now, walk->way)
			    : known_way_to_destination(hook, family, destination, walk->now, walk->way);
	if (!is_known) {
		if (is_for_established(hook))
			return VERDICT_WALK;
		if (is_reply)
			look_up_way_to_client(ctx, hook, family, &client, &walk->new_addresses, walk->now, walk->way);
		else
			look_up_way_to_destination(ctx, hook, family, destination, walk->now, walk->way);
	}
	reason = obstacle(hook, walk, tunnel_header(family));

	/* The packet that looked up goes by TC too, whose neighbour code probes: XDP alone would keep a stale MAC for ever. */
	if ((is_xdp(hook) || is_for_established(hook)) &&
	    (!is_addressed(hook, walk->way->l2) || walk->way->fib != NO_LOOKUP || reason != REASON_NONE))
		return hook == HOOK_XDP ? VERDICT_TC : VERDICT_WALK;
	if (hook == HOOK_XDP && is_to_clamp(&walk->packet, destination))
		return VERDICT_TC;
	is_own = is_for_director(walk, reason);
	if (hook == HOOK_TRACE) {
		trace_walk(family, family, walk, is_own ? REASON_NONE : reason);
		if (is_own)
			return VERDICT_PASS;
		return reason == REASON_NONE ? VERDICT_SENT : VERDICT_DROP;
	}

	if (family == FAMILY_4 && hook == HOOK_TC && reason == REASON_MUST_FRAGMENT)
		return hand_to_cutter(walk);
	if (!is_for_established(hook) && is_forged(walk))
		return drop(hook, REASON_FORGED_CLIENT);
	/* What the kernel would not forward IPVS does not see: replies are taken where packets are forwarded, requests before. */
	if (hook == HOOK_TC && is_reply && reason != REASON_NONE && !is_own)
		return refuse(hook, family, walk, destination, reason);
	if (reason == REASON_NONE && tells_client(ctx, hook, family, walk))
		return VERDICT_TELL;
	if (reason == REASON_NONE && !is_for_established(hook) && is_untold_datagram(walk))
		return hand_datagram_over(hook, walk);
	if (is_for_established(hook) && walk->is_followed)
		follow(walk->slot, event_of(&walk->packet), is_reply, walk->now);
	else if (is_for_established(hook))
		note_seen(walk->flow, walk->now);
	else if (walk->flow && !walk->is_new)
		track(walk->flow, walk->slot, &walk->packet, is_reply, walk->now);
	if (!is_for_established(hook) && walk->counters)
		add_packet(walk->counters, is_reply, walk->packet.length);
	else
		count_packet(walk->destination, is_reply, walk->packet.length);
	if (reason == REASON_NONE) {
		if (hook == HOOK_TC && is_to_clamp(&walk->packet, destination) && !clamp(ctx, walk, destination))
			return drop(hook, REASON_ADJUST_FAILED);
		return forward(ctx, hook, family, walk, destination);
	}
	if (hook == HOOK_TC && is_own)
		return deliver(ctx, walk);
	return refuse(hook, family, walk, destination, reason);
}

static __always_inline enum verdict walk_packet(void *ctx, enum hook hook, enum family family)
{
	struct way known;
	struct walk walk = {.way = way_of(hook, &known)};
	struct packet *packet = &walk.packet;
	struct destination *destination = NULL;
	enum reason reason = REASON_NONE;
	enum verdict verdict;
	__u32 control;
	__u64 hash;

	if (hook == HOOK_TC_ESTABLISHED && was_at_xdp(ctx))
		return VERDICT_WALK;
	if (!walk.way)
		return VERDICT_PASS;
	if (is_for_established(hook)) {
		verdict = parse(ctx, hook, family, packet);
		if (hook == HOOK_TC_ESTABLISHED && verdict == VERDICT_PASS && !is_linear(ctx, family))
			return VERDICT_WALK; /* which looks at all of it */
		if (verdict != VERDICT_NEXT)
			return verdict;
		hash = flow_hash(family, &packet->addresses, packet->ports);
		walk.flow = find_flow_by(hash, family, &packet->addresses, packet->ports, &walk.slot);
		if (!walk.flow)
			return hand_look(hook, family, packet, hash, NO_SLOT);
		control = READ_ONCE(walk.flow->control);
		walk.is_followed = !changes_nothing(packet, control);
		if ((walk.is_followed && !is_only_followed(packet, control)) ||
		    (flow_method(control) == METHOD_FULLNAT && may_name_itself(ctx, hook, family, packet)))
			return hand_look(hook, family, packet, hash, walk.slot);
	} else {
		const struct look *look = take_look(ctx, hook, family, &verdict, &walk.is_handed);

		if (!look)
			return verdict;
		copy_packet(family, packet, &look->packet);
		hash = look->hash;
		walk.slot = look->slot;
		walk.flow = flow_at(walk.slot); /* NULL for NO_SLOT */
	}
	walk.now = jiffies();
	if (walk.flow) {
		destination = destination_at(walk.flow->destination);
		if (!destination)
			return VERDICT_PASS;
		if (is_for_established(hook) && walk.is_followed && is_to_clamp(packet, destination))
			return hand_look(hook, family, packet, hash, walk.slot);
		if (!is_for_established(hook) && (begins(packet) || is_gone(destination))) {
			__u64 life = READ_ONCE(walk.flow->life);

			if (is_over(walk.flow, life, packet, destination)) {
				bool is_reset = is_to_reset(packet, destination);

				if (is_reset && hook == HOOK_XDP)
					return VERDICT_TC;
				if (hook != HOOK_TRACE)
					end_connection(walk.slot, life);
				if (is_reset)
					return VERDICT_PASS;
				walk.flow = NULL;
			}
		}
	}
	if (walk.flow && reads_text(hook, walk.flow, packet))
		return is_xdp(hook) ? VERDICT_TC : VERDICT_FTP;
	if (walk.flow) {
		take_facts(family, &walk, walk.flow);
		/* A reply's way is by what its addresses become. Of established requests those are read where they are written. */
		if (!is_for_established(hook) || walk.is_reply)
			take_addresses(family, &walk);
	}
	if (!walk.flow && !is_for_established(hook)) {
		if ((packet->rare & (RARE_PORTLESS | RARE_ALONE)) == RARE_PORTLESS)
			return packet->rare & RARE_LATER_FRAGMENT ? VERDICT_ONE_PACKET : VERDICT_PASS;
		verdict = open_flow(ctx, hook, family, &walk, hash, &reason);
		if (hook == HOOK_TC && (verdict == VERDICT_PASS || reason == REASON_NO_DESTINATION)) {
			int left = family == FAMILY_4 ? leave_four(ctx, packet, true) : leave_six(ctx, packet, true);

			if (left != VERDICT_NEXT)
				return left;
		}
		if (reason == REASON_NO_DESTINATION)
			return hook == HOOK_XDP ? VERDICT_TC : refuse(hook, family, &walk, NULL, reason);
		if (verdict != VERDICT_NEXT)
			return verdict;
		if (packet->protocol == IPPROTO_SCTP)
			packet->sctp_event = SCTP_EVENT_NONE; /* it made the state, and a second INIT would change it */
		if (walk.flow && (!walk.is_new || family == FAMILY_6)) /* whose extension is to be found */
			take_from(family, &walk, walk.flow);
		destination = destination_at(walk.destination);
		if (!destination)
			return VERDICT_PASS;
	}
	if (!walk.is_reply && is_gone(destination))
		return is_for_established(hook) ? VERDICT_WALK : drop(hook, REASON_DESTINATION_GONE);

	if (!is_for_established(hook) && !is_disowned(ctx, hook, family, &walk))
		return drop(hook, REASON_FORGED_CLIENT);
	if (is_handed_over(family, &walk, destination))
		return is_for_established(hook) ? hand_look(hook, family, packet, hash, walk.slot)
						: hand_over(hook, &walk, false);
	return send_on(ctx, hook, family, &walk, destination);
}

#include "ftp.h"
#include "one_packet.h"
#include "outbound.h"
#include "own.h"

static __always_inline int xdp_action(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_SENT:
		return XDP_REDIRECT;
	case VERDICT_SENT_BACK:
		return XDP_TX;
	case VERDICT_DROP:
		return XDP_DROP;
	case VERDICT_WRAP: /* which could not be called */
	case VERDICT_CROSS:
	case VERDICT_TELL_DATAGRAM:
		drop(HOOK_XDP, REASON_CALL_FAILED);
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

static __always_inline int end_at_xdp(enum verdict verdict)
{
	if (verdict == VERDICT_TC)
		count_event(EVENT_TO_TC);
	return xdp_action(verdict);
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES_MOST);
	__type(key, __u32);
	__type(value, __u32);
} stages SEC(".maps"); /* enum stage -> the program of its name, where one is loaded */

static __always_inline int finish_xdp(struct xdp_md *ctx, enum family family, enum verdict verdict)
{
	if (verdict == VERDICT_WRAP)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_WRAP : STAGE_WRAP_SIX);
	if (verdict == VERDICT_CROSS)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_CROSS : STAGE_CROSS_SIX);
	if (verdict == VERDICT_TELL)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_TELL : STAGE_TELL_SIX);
	if (verdict == VERDICT_TELL_DATAGRAM)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_TELL_DATAGRAM : STAGE_TELL_DATAGRAM_SIX);
	return end_at_xdp(verdict);
}

static __always_inline int walk_at_xdp(struct xdp_md *ctx, enum family family)
{
	enum verdict verdict = walk_packet(ctx, HOOK_XDP, family);

	if (verdict == VERDICT_ONE_PACKET)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_ONE_PACKET : STAGE_ONE_PACKET_SIX);
	return finish_xdp(ctx, family, verdict);
}

/* All of the walk that XDP can do. */
SEC("xdp")
int director_walk(struct xdp_md *ctx)
{
	return walk_at_xdp(ctx, FAMILY_4);
}

SEC("xdp")
int director_walk_six(struct xdp_md *ctx)
{
	return walk_at_xdp(ctx, FAMILY_6);
}

SEC("xdp")
int director_one_packet(struct xdp_md *ctx)
{
	return finish_xdp(ctx, FAMILY_4, walk_one_packet(ctx, HOOK_XDP, FAMILY_4));
}

SEC("xdp")
int director_one_packet_six(struct xdp_md *ctx)
{
	return finish_xdp(ctx, FAMILY_6, walk_one_packet(ctx, HOOK_XDP, FAMILY_6));
}

static __always_inline enum verdict walk_established(struct xdp_md *ctx, enum family family)
{
	enum verdict verdict = walk_packet(ctx, HOOK_XDP_ESTABLISHED, family);

	if (verdict == VERDICT_WALK) {
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_WALK : STAGE_WALK_SIX);
		take_look_back(HOOK_XDP);
	}
	return verdict;
}

/*
 * What is attached. Without the rest of the walk a packet of gate takes 22 ns instead of 30, of masq 24 instead of 34. Both families are in
 * it, for a tail call is much of what IPv6 takes more; at TC it is little.
 */
SEC("xdp")
int director_xdp(struct xdp_md *ctx)
{
	enum verdict verdict = walk_established(ctx, FAMILY_4);

	if (verdict == VERDICT_SIX && six_served() != SIX_NONE)
		verdict = walk_established(ctx, FAMILY_6);
	return xdp_action(verdict);
}

static __always_inline int tell_and_walk(struct xdp_md *ctx, enum family family)
{
	enum verdict verdict = tell_xdp(ctx, family);

	if (verdict == VERDICT_WALK)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_WALK : STAGE_WALK_SIX);
	return end_at_xdp(verdict);
}

SEC("xdp")
int director_tell(struct xdp_md *ctx)
{
	return tell_and_walk(ctx, FAMILY_4);
}

SEC("xdp")
int director_tell_six(struct xdp_md *ctx)
{
	return tell_and_walk(ctx, FAMILY_6);
}

SEC("xdp")
int director_tell_datagram(struct xdp_md *ctx)
{
	return end_at_xdp(tell_datagram(ctx, HOOK_XDP, FAMILY_4));
}

SEC("xdp")
int director_tell_datagram_six(struct xdp_md *ctx)
{
	return end_at_xdp(tell_datagram(ctx, HOOK_XDP, FAMILY_6));
}

SEC("xdp")
int director_wrap(struct xdp_md *ctx)
{
	return end_at_xdp(wrap_packet(ctx, HOOK_XDP, FAMILY_4));
}

SEC("xdp")
int director_wrap_six(struct xdp_md *ctx)
{
	return end_at_xdp(wrap_packet(ctx, HOOK_XDP, FAMILY_6));
}

SEC("xdp")
int director_cross(struct xdp_md *ctx)
{
	return end_at_xdp(cross_packet(ctx, HOOK_XDP, FAMILY_4));
}

SEC("xdp")
int director_cross_six(struct xdp_md *ctx)
{
	return end_at_xdp(cross_packet(ctx, HOOK_XDP, FAMILY_6));
}

static __always_inline int tc_action(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_SENT:
		return TC_ACT_REDIRECT;
	case VERDICT_DROP:
		return TC_ACT_SHOT;
	case VERDICT_ANSWER: /* which could not be called */
	case VERDICT_ANSWER_OTHER:
	case VERDICT_WRAP:
	case VERDICT_CROSS:
	case VERDICT_CROSS_RELATED:
	case VERDICT_DELIVER:
	case VERDICT_CUT:
	case VERDICT_TELL:
	case VERDICT_TELL_DATAGRAM:
	case VERDICT_FTP:
	case VERDICT_FTP_READ:
		drop(HOOK_TC, REASON_CALL_FAILED);
		return TC_ACT_SHOT;
	default:
		return TC_ACT_UNSPEC; /* other filters may have their say */
	}
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES_MOST);
	__type(key, __u32);
	__type(value, __u32);
} tc_stages SEC(".maps"); /* enum tc_stage -> the program of its name, where one is loaded */

static __always_inline int finish_tc(struct __sk_buff *skb, enum family family, enum verdict verdict)
{
	if (verdict == VERDICT_SENT)
		return TC_ACT_REDIRECT;
	asm volatile("" : "+r"(verdict)); /* or clang searches for it among all of them */
	if (verdict == VERDICT_RELATED)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_RELATED : TC_STAGE_RELATED_SIX);
	if (verdict == VERDICT_ANSWER)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_ANSWER : TC_STAGE_ANSWER_SIX);
	if (verdict == VERDICT_OPEN)
		bpf_tail_call_static(skb, &tc_stages,
				     family == FAMILY_4 ? TC_STAGE_OPEN_RELATED : TC_STAGE_OPEN_RELATED_SIX);
	if (verdict == VERDICT_ONE_PACKET)
		bpf_tail_call_static(skb, &tc_stages,
				     family == FAMILY_4 ? TC_STAGE_ONE_PACKET_TC : TC_STAGE_ONE_PACKET_TC_SIX);
	if (verdict == VERDICT_FTP)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_FTP : TC_STAGE_FTP_SIX);
	if (verdict == VERDICT_FTP_READ)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_WALK_TC : TC_STAGE_WALK_TC_SIX);
	if (verdict == VERDICT_OUTBOUND)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_OUTBOUND : TC_STAGE_OUTBOUND_SIX);
	if (verdict == VERDICT_ANSWER_OTHER)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_ANSWER_SIX : TC_STAGE_ANSWER);
	if (verdict == VERDICT_UNWRAP)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_UNWRAP : TC_STAGE_UNWRAP_SIX);
	if (verdict == VERDICT_WRAP)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_WRAP_TC : TC_STAGE_WRAP_TC_SIX);
	if (verdict == VERDICT_CROSS)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_CROSS_TC : TC_STAGE_CROSS_TC_SIX);
	if (verdict == VERDICT_CROSS_RELATED)
		bpf_tail_call_static(skb, &tc_stages,
				     family == FAMILY_4 ? TC_STAGE_CROSS_RELATED : TC_STAGE_CROSS_RELATED_SIX);
	if (verdict == VERDICT_DELIVER)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_DELIVER : TC_STAGE_DELIVER_SIX);
	if (verdict == VERDICT_CUT)
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_CUT);
	if (verdict == VERDICT_TELL)
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_TELL_TC : TC_STAGE_TELL_TC_SIX);
	if (verdict == VERDICT_TELL_DATAGRAM)
		bpf_tail_call_static(skb, &tc_stages,
				     family == FAMILY_4 ? TC_STAGE_TELL_DATAGRAM_TC : TC_STAGE_TELL_DATAGRAM_TC_SIX);
	return tc_action(verdict);
}

/* All of the walk. */
SEC("tc")
int director_walk_tc(struct __sk_buff *skb)
{
	enum verdict verdict = walk_packet(skb, HOOK_TC, FAMILY_4);

	if (verdict == VERDICT_SENT)
		return TC_ACT_REDIRECT;
	if (verdict == VERDICT_SIX)
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_WALK_TC_SIX);
	return finish_tc(skb, FAMILY_4, verdict);
}

SEC("tc")
int director_walk_tc_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, walk_packet(skb, HOOK_TC, FAMILY_6));
}

/* What is attached. */
SEC("tc")
int director_tc(struct __sk_buff *skb)
{
	enum verdict verdict = walk_packet(skb, HOOK_TC_ESTABLISHED, FAMILY_4);

	if (verdict == VERDICT_WALK) {
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_WALK_TC);
		take_look_back(HOOK_TC);
	}
	if (verdict == VERDICT_SIX)
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_TC_SIX);
	return tc_action(verdict);
}

SEC("tc")
int director_tc_six(struct __sk_buff *skb)
{
	enum verdict verdict = walk_packet(skb, HOOK_TC_ESTABLISHED, FAMILY_6);

	if (verdict == VERDICT_WALK) {
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_WALK_TC_SIX);
		take_look_back(HOOK_TC);
	}
	return tc_action(verdict);
}

SEC("tc")
int director_one_packet_tc(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, walk_one_packet(skb, HOOK_TC, FAMILY_4));
}

SEC("tc")
int director_one_packet_tc_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, walk_one_packet(skb, HOOK_TC, FAMILY_6));
}

SEC("tc")
int director_ftp(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, walk_ftp(skb, FAMILY_4));
}

SEC("tc")
int director_ftp_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, walk_ftp(skb, FAMILY_6));
}

SEC("tc")
int director_outbound(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, walk_caller(skb, FAMILY_4));
}

SEC("tc")
int director_outbound_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, walk_caller(skb, FAMILY_6));
}

/* ICMP that may be an error about a packet of a connection. */
SEC("tc")
int director_related(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, walk_related(skb, FAMILY_4));
}

SEC("tc")
int director_related_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, walk_related(skb, FAMILY_6));
}

/* And where there is none yet: then the former does the rest. */
SEC("tc")
int director_open_related(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, open_related(skb, FAMILY_4));
}

SEC("tc")
int director_open_related_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, open_related(skb, FAMILY_6));
}

SEC("tc")
int director_answer(struct __sk_buff *skb)
{
	return tc_action(send_answer(skb, FAMILY_4));
}

SEC("tc")
int director_answer_six(struct __sk_buff *skb)
{
	return tc_action(send_answer(skb, FAMILY_6));
}

SEC("tc")
int director_unwrap(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, unwrap_message(skb, FAMILY_4));
}

SEC("tc")
int director_unwrap_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, unwrap_message(skb, FAMILY_6));
}

static __always_inline int tell_and_walk_tc(struct __sk_buff *skb, enum family family)
{
	enum verdict verdict = tell_tc(skb, family);

	if (verdict == VERDICT_WALK) {
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_WALK_TC : TC_STAGE_WALK_TC_SIX);
		drop(HOOK_TC, REASON_CALL_FAILED);
	}
	return TC_ACT_SHOT;
}

SEC("tc")
int director_tell_tc(struct __sk_buff *skb)
{
	return tell_and_walk_tc(skb, FAMILY_4);
}

SEC("tc")
int director_tell_tc_six(struct __sk_buff *skb)
{
	return tell_and_walk_tc(skb, FAMILY_6);
}

SEC("tc")
int director_tell_datagram_tc(struct __sk_buff *skb)
{
	return tc_action(tell_datagram(skb, HOOK_TC, FAMILY_4));
}

SEC("tc")
int director_tell_datagram_tc_six(struct __sk_buff *skb)
{
	return tc_action(tell_datagram(skb, HOOK_TC, FAMILY_6));
}

SEC("tc")
int director_cut(struct __sk_buff *skb)
{
	if (cut_packet(skb) == VERDICT_WALK) {
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_WALK_TC);
		drop(HOOK_TC, REASON_CALL_FAILED);
	}
	return TC_ACT_SHOT;
}

SEC("tc")
int director_wrap_tc(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, wrap_packet(skb, HOOK_TC, FAMILY_4));
}

SEC("tc")
int director_wrap_tc_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, wrap_packet(skb, HOOK_TC, FAMILY_6));
}

SEC("tc")
int director_cross_tc(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, cross_packet(skb, HOOK_TC, FAMILY_4));
}

SEC("tc")
int director_cross_tc_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, cross_packet(skb, HOOK_TC, FAMILY_6));
}

SEC("tc")
int director_cross_related(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_4, cross_related(skb, FAMILY_4));
}

SEC("tc")
int director_cross_related_six(struct __sk_buff *skb)
{
	return finish_tc(skb, FAMILY_6, cross_related(skb, FAMILY_6));
}

static __always_inline int finish_own(struct __sk_buff *skb, enum family family, enum verdict verdict)
{
	if (verdict == VERDICT_WALK) {
		skb->tc_index = OWN_WALKED;
		bpf_tail_call_static(skb, &tc_stages, family == FAMILY_4 ? TC_STAGE_WALK_TC : TC_STAGE_WALK_TC_SIX);
	}
	return finish_tc(skb, family, verdict);
}

/* Attached where packets leave. Those that came in have been seen there, and these once is enough. */
SEC("tc")
int director_own(struct __sk_buff *skb)
{
	enum verdict verdict;

	if (!is_made_here(skb) || skb->tc_index == OWN_WALKED)
		return TC_ACT_UNSPEC;
	verdict = walk_own(skb, FAMILY_4);
	if (verdict == VERDICT_SIX)
		bpf_tail_call_static(skb, &tc_stages, TC_STAGE_OWN_SIX);
	return finish_own(skb, FAMILY_4, verdict);
}

SEC("tc")
int director_own_six(struct __sk_buff *skb)
{
	return finish_own(skb, FAMILY_6, walk_own(skb, FAMILY_6));
}

SEC("tc")
int director_deliver(struct __sk_buff *skb)
{
	return tc_action(deliver_packet(skb, FAMILY_4));
}

SEC("tc")
int director_deliver_six(struct __sk_buff *skb)
{
	return tc_action(deliver_packet(skb, FAMILY_6));
}

static __always_inline int trace_packet(struct xdp_md *ctx, enum family family)
{
	struct trace *trace = current_trace();

	if (!trace)
		return XDP_ABORTED;
	__builtin_memset(trace, 0, sizeof(*trace));
	trace->flow = NO_SLOT;
	trace->service = NO_SERVICE;
	trace->destination = NO_DESTINATION;
	trace->fib = NO_LOOKUP;
	trace->verdict = walk_packet(ctx, HOOK_TRACE, family);
	if (trace->verdict == VERDICT_ONE_PACKET)
		trace->verdict = walk_one_packet(ctx, HOOK_TRACE, family);
	if (trace->verdict == VERDICT_WRAP)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_TRACE_WRAP : STAGE_TRACE_WRAP_SIX);
	if (trace->verdict == VERDICT_CROSS)
		bpf_tail_call_static(ctx, &stages, family == FAMILY_4 ? STAGE_TRACE_CROSS : STAGE_TRACE_CROSS_SIX);
	return XDP_PASS;
}

/* These walk a packet as those above would, changing nothing; the answer is in `traces`. */
SEC("xdp")
int director_trace(struct xdp_md *ctx)
{
	return trace_packet(ctx, FAMILY_4);
}

SEC("xdp")
int director_trace_six(struct xdp_md *ctx)
{
	return trace_packet(ctx, FAMILY_6);
}

static __always_inline int end_trace(enum verdict verdict)
{
	struct trace *trace = current_trace();

	if (!trace)
		return XDP_ABORTED;
	trace->verdict = verdict;
	return XDP_PASS;
}

SEC("xdp")
int director_trace_wrap(struct xdp_md *ctx)
{
	return end_trace(wrap_packet(ctx, HOOK_TRACE, FAMILY_4));
}

SEC("xdp")
int director_trace_wrap_six(struct xdp_md *ctx)
{
	return end_trace(wrap_packet(ctx, HOOK_TRACE, FAMILY_6));
}

SEC("xdp")
int director_trace_cross(struct xdp_md *ctx)
{
	return end_trace(cross_packet(ctx, HOOK_TRACE, FAMILY_4));
}

SEC("xdp")
int director_trace_cross_six(struct xdp_md *ctx)
{
	return end_trace(cross_packet(ctx, HOOK_TRACE, FAMILY_6));
}

/* Run when the maps are ready, and again when what brings them to a later build's programs was cut short. */
SEC("syscall")
int start(void *ctx)
{
	return start_sweep();
}

/* Run before a later build's programs take the maps, or what is in them, over. */
SEC("syscall")
int stop(void *ctx)
{
	return stop_sweep();
}

SEC("syscall")
int clock(struct clock *ctx)
{
	ctx->jiffies = bpf_jiffies64();
	ctx->monotonic_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
