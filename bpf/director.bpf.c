// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The director: a packet's walk, from top to bottom.
 *
 *   parse -> flow -> [service -> schedule -> new flow] -> way -> account -> forward
 *
 * The same walk runs at XDP and at TC. What XDP can't finish it leaves, untouched, to TC, which starts again: unknown neighbour,
 * tags, an answer by ICMP. `hook` is a constant wherever it is used, so each program holds only its own branches.
 */
#include "account.h"
#include "forward_tc.h"
#include "forward_xdp.h"
#include "icmp.h"
#include "open.h"
#include "parse.h"
#include "sweep.h"
#include "trace.h"

/* By IPVS's rule (conn_reuse_mode=1) the next SYN of such a connection is a new one's, and is scheduled anew. */
static __always_inline bool is_ended(__u32 control)
{
	__u32 state = flow_state(control);

	return flow_kind(control) == FLOW_LIVE && (state == STATE_TIME_WAIT || state == STATE_CLOSE);
}

/* What stands in an entry, for the rest of the walk. */
static __always_inline void take_from(struct walk *walk, const struct flow *flow)
{
	__u32 control = READ_ONCE(flow->control);

	walk->is_reply = flow_kind(control) == FLOW_REPLY;
	walk->method = flow_method(control);
	walk->destination = flow->destination;
	walk->new_addresses = flow->new_addresses;
	walk->new_ports = flow->new_ports;
}

/* Who a packet's own sender hears about its fate from: the VIP; for replies the director's address on the real server's side. */
static __always_inline __u32 answer_source(const struct walk *walk, const struct destination *destination)
{
	return walk->is_reply ? destination->next_hop.source.word[0] : walk->packet.addresses >> 32;
}

/* Why a packet can't take its way. XDP, which leaves all of these to TC, knows a way by its MAC. */
static __always_inline enum reason obstacle(enum hook hook, struct walk *walk)
{
	const struct packet *packet = &walk->packet;

	if (!is_xdp(hook) && !(__u32)walk->way.via)
		return walk->way.fib == BPF_FIB_LKUP_RET_FWD_DISABLED ? REASON_FORWARDING_OFF : REASON_NO_ROUTE;
	if (packet->ttl <= 1)
		return REASON_TTL_EXCEEDED;
	if (walk->method == METHOD_TUNNEL && walk->way.mtu)
		walk->way.mtu -= TUNNEL_HEADER;
	if (walk->way.mtu && packet->segment > walk->way.mtu)
		return packet->dont_fragment ? REASON_TOO_BIG : REASON_MUST_FRAGMENT;
	return REASON_NONE;
}

static __always_inline enum verdict refuse(void *ctx, enum hook hook, struct walk *walk, __u32 source,
					   enum reason reason)
{
	struct answer answer = {.source = source};

	if (hook != HOOK_TC || !source)
		return drop(hook, reason);
	if (reason == REASON_TTL_EXCEEDED) {
		answer.type = ICMP_TIME_EXCEEDED;
		answer.code = ICMP_EXC_TTL;
	} else {
		answer.type = ICMP_DEST_UNREACH;
		answer.code = reason == REASON_TOO_BIG ? ICMP_FRAG_NEEDED : ICMP_PORT_UNREACH;
		answer.mtu = reason == REASON_TOO_BIG ? walk->way.mtu : 0;
	}
	return answer_by_icmp(ctx, hook, walk, reason, &answer);
}

static __always_inline enum verdict forward(void *ctx, enum hook hook, struct walk *walk, __u32 rip)
{
	if (!is_xdp(hook) && !take_tags_off(ctx, &walk->packet))
		return drop(hook, REASON_ADJUST_FAILED);
	switch (walk->method) {
	case METHOD_MASQ:
	case METHOD_FULLNAT:
		return is_xdp(hook) ? translate_xdp(ctx, hook, walk) : translate_tc(ctx, hook, walk);
	case METHOD_TUNNEL:
		if (!walk->way.source)
			return drop(hook, REASON_NO_LOCAL_ADDRESS);
		return is_xdp(hook) ? tunnel_xdp(ctx, hook, walk, rip) : tunnel_tc(ctx, hook, walk, rip);
	case METHOD_GATE:
		return is_xdp(hook) ? route_xdp(ctx, hook, walk) : route_tc(ctx, hook, walk);
	}
	return drop(hook, REASON_MALFORMED);
}

static __always_inline enum verdict walk_packet(void *ctx, enum hook hook)
{
	struct walk walk = {};
	struct packet *packet = &walk.packet;
	struct destination *destination;
	enum reason reason = REASON_NONE;
	enum verdict verdict;
	bool is_known;

	if (hook == HOOK_TC && !is_linear(ctx))
		return VERDICT_PASS;
	verdict = parse(ctx, hook, packet);
	if (verdict != VERDICT_NEXT)
		return verdict;
	walk.now = jiffies();

	walk.flow = find_flow(packet->addresses, packet->ports, &walk.slot);
	if (hook == HOOK_XDP_ESTABLISHED && (!walk.flow || !changes_nothing(packet, flow_state(walk.flow->control))))
		return VERDICT_WALK;
	if (hook != HOOK_XDP_ESTABLISHED && walk.flow && packet->tcp_flags & TCP_SYN) {
		__u64 life = READ_ONCE(walk.flow->life);

		if (is_ended(life)) {
			if (hook != HOOK_TRACE)
				end_connection(walk.slot, life);
			walk.flow = NULL;
		}
	}
	if (!walk.flow && hook != HOOK_XDP_ESTABLISHED) {
		verdict = open_flow(ctx, hook, &walk, &reason);
		if (reason == REASON_NO_DESTINATION)
			return hook == HOOK_XDP ? VERDICT_TC
						: refuse(ctx, hook, &walk, packet->addresses >> 32, reason);
		if (verdict != VERDICT_NEXT)
			return verdict;
	}
	if (walk.flow)
		take_from(&walk, walk.flow);

	destination = destination_at(walk.destination);
	if (!destination)
		return VERDICT_PASS;
	if (!walk.is_reply && !(READ_ONCE(destination->flags) & DESTINATION_AVAILABLE))
		return drop(hook, REASON_DESTINATION_GONE);

	is_known = walk.is_reply ? known_way_to_client(walk.new_addresses >> 32, walk.now, &walk.way)
				 : known_way_to_destination(destination, walk.now, &walk.way);
	if (!is_known) {
		if (hook == HOOK_XDP_ESTABLISHED)
			return VERDICT_WALK;
		if (walk.is_reply)
			look_up_way_to_client(ctx, hook, walk.new_addresses >> 32, walk.now, &walk.way);
		else
			look_up_way_to_destination(ctx, hook, destination, walk.now, &walk.way);
	}
	reason = obstacle(hook, &walk);

	/* The packet that looked up goes by TC too, whose neighbour code probes: XDP alone would keep a stale MAC for ever. */
	if (is_xdp(hook) && (!walk.way.l2 || walk.way.fib != NO_LOOKUP || reason != REASON_NONE))
		return hook == HOOK_XDP ? VERDICT_TC : VERDICT_WALK;
	if (hook == HOOK_TRACE) {
		trace_walk(&walk, reason);
		return reason == REASON_NONE ? VERDICT_SENT : VERDICT_DROP;
	}

	if (hook == HOOK_XDP_ESTABLISHED)
		note_seen(walk.flow, walk.now);
	else if (walk.flow)
		track(walk.flow, walk.slot, packet, walk.is_reply, walk.now);
	count_packet(walk.destination, walk.is_reply, packet->length);
	if (reason == REASON_TOO_BIG || reason == REASON_TTL_EXCEEDED)
		return refuse(ctx, hook, &walk, answer_source(&walk, destination), reason);
	if (reason != REASON_NONE)
		return drop(hook, reason);
	return forward(ctx, hook, &walk, destination->rip.word[0]);
}

static __always_inline int xdp_action(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_SENT:
		return XDP_REDIRECT;
	case VERDICT_SENT_BACK:
		return XDP_TX;
	case VERDICT_DROP:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

/* All of the walk that XDP can do. */
SEC("xdp")
int director_walk(struct xdp_md *ctx)
{
	enum verdict verdict = walk_packet(ctx, HOOK_XDP);

	if (verdict == VERDICT_TC)
		count_event(EVENT_TO_TC);
	return xdp_action(verdict);
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} stages SEC(".maps") = {.values = {[0] = (void *)&director_walk}};

/* What is attached. Without the rest of the walk a packet of gate takes 22 ns instead of 30, of masq 24 instead of 34. */
SEC("xdp")
int director_xdp(struct xdp_md *ctx)
{
	enum verdict verdict = walk_packet(ctx, HOOK_XDP_ESTABLISHED);

	if (verdict == VERDICT_WALK)
		bpf_tail_call_static(ctx, &stages, 0);
	return xdp_action(verdict);
}

SEC("tc")
int director_tc(struct __sk_buff *skb)
{
	switch (walk_packet(skb, HOOK_TC)) {
	case VERDICT_SENT:
		return TC_ACT_REDIRECT;
	case VERDICT_DROP:
		return TC_ACT_SHOT;
	default:
		return TC_ACT_UNSPEC; /* other filters may have their say */
	}
}

/* Walks a packet as the two above would, changing nothing; the answer is in `traces`. */
SEC("xdp")
int director_trace(struct xdp_md *ctx)
{
	struct trace *trace = current_trace();

	if (!trace)
		return XDP_ABORTED;
	__builtin_memset(trace, 0, sizeof(*trace));
	trace->flow = NO_SLOT;
	trace->service = NO_SERVICE;
	trace->destination = NO_DESTINATION;
	trace->fib = NO_LOOKUP;
	trace->verdict = walk_packet(ctx, HOOK_TRACE);
	return XDP_PASS;
}

/* Run once when the maps are ready, and by every later version of this object that takes them over. */
SEC("syscall")
int start(void *ctx)
{
	return start_sweep();
}

SEC("syscall")
int clock(struct clock *ctx)
{
	ctx->jiffies = bpf_jiffies64();
	ctx->monotonic_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
