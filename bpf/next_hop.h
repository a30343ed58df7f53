/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The way to an address: looked up by the packets themselves, at most once a second for each destination and client, so that
 * route and neighbour changes are followed with no process alive.
 */
#pragma once

#include "flow.h"
#include "parse.h"

#define AF_INET 2
#define AF_INET6 10
#define LOOPBACK 1 /* its index in every namespace */
#define REFRESHES_A_SECOND_FAILED 10
#ifndef BPF_FIB_LOOKUP_SKIP_NEIGH
#define BPF_FIB_LOOKUP_SKIP_NEIGH (1U << 2)
#endif
#ifndef BPF_FIB_LOOKUP_SRC
#define BPF_FIB_LOOKUP_SRC (1U << 4)
#endif

/*
 * pmtu_disc is 0: what is sent to this real server by a tunnel may be fragmented, whatever its sender says. Only TC heeds it, to
 * which such a way without an `l2` leaves all packets.
 */
#define MTU_WITHOUT_DF (1U << 31)

/* Of an interface that takes no redirected frames from XDP. */
#define L2_ONLY_TC (1ULL << 63)
#define L2_INTERFACES (1U << 15)

/* What one packet is sent by. */
struct way {
	__u64 l2;
	__u64 via;
	__u32 mtu;
	__u32 fib; /* NO_LOOKUP, or the answer of the look-up that this packet made */
	struct address source;
	struct address gateway; /* IPv6; not known at XDP, which has no use for it */
};

static __always_inline bool is_due(const struct next_hop *hop, __u32 now, __u32 *refresh)
{
	*refresh = READ_ONCE(hop->refresh);
	return *refresh == 0 || (__s32)(now - *refresh) >= 0;
}

static __always_inline bool is_same(enum family family, const struct address *a, const struct address *b)
{
	if (family == FAMILY_4)
		return a->word[0] == b->word[0];
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

static __always_inline struct address read_address(enum family family, const struct address *at)
{
	struct address address = {};

	address.word[0] = READ_ONCE(at->word[0]);
	if (family == FAMILY_6) {
		address.word[1] = READ_ONCE(at->word[1]);
		address.word[2] = READ_ONCE(at->word[2]);
		address.word[3] = READ_ONCE(at->word[3]);
	}
	return address;
}

static __always_inline void write_address(enum family family, struct address *at, const struct address *address)
{
	WRITE_ONCE(at->word[0], address->word[0]);
	if (family == FAMILY_6) {
		WRITE_ONCE(at->word[1], address->word[1]);
		WRITE_ONCE(at->word[2], address->word[2]);
		WRITE_ONCE(at->word[3], address->word[3]);
	}
}

static __always_inline struct address source_of(enum family family, const struct addresses *addresses)
{
	struct address source = {};

	source.word[0] = addresses->word[0];
	if (family == FAMILY_6) {
		source.word[1] = addresses->word[0] >> 32;
		source.word[2] = addresses->word[1];
		source.word[3] = addresses->word[1] >> 32;
	}
	return source;
}

static __always_inline struct address target_of(enum family family, const struct addresses *addresses)
{
	struct addresses other = swapped(family, addresses);

	return source_of(family, &other);
}

/* `from`: 0 for whatever address the way itself has. */
static __always_inline void ask_for(struct bpf_fib_lookup *fib, enum family family, const struct address *to,
				    const struct address *from)
{
	fib->family = family == FAMILY_4 ? AF_INET : AF_INET6;
	fib->tot_len = 1; /* above 0 has the route's MTU told */
	fib->ifindex = LOOPBACK;
	if (family == FAMILY_4) {
		fib->ipv4_dst = to->word[0];
		fib->ipv4_src = from->word[0];
	} else {
		__builtin_memcpy(fib->ipv6_dst, to->word, sizeof(to->word));
		__builtin_memcpy(fib->ipv6_src, from->word, sizeof(from->word));
	}
}

/*
 * As if the packet came from lo, whose forwarding is on: so it works with ip_forward=0 and gives what IPVS's own output
 * look-up gives.
 */
static __always_inline void look_up(void *ctx, enum family family, const struct address *to, const struct address *from,
				    struct way *way)
{
	struct bpf_fib_lookup fib = {};
	__u64 mac = 0;
	long answer;

	ask_for(&fib, family, to, from);
	answer = bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_SRC);
	__builtin_memset(way, 0, sizeof(*way));
	way->fib = answer;
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH) {
		/* Only an answer without that question tells the MTU. The gateway now stands where the address was. */
		ask_for(&fib, family, to, from);
		if (bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_SRC | BPF_FIB_LOOKUP_SKIP_NEIGH))
			return;
	} else if (answer != BPF_FIB_LKUP_RET_SUCCESS) {
		return;
	}
	way->via = fib.ifindex;
	way->mtu = fib.mtu_result;
	if (family == FAMILY_4) {
		way->via |= (__u64)fib.ipv4_dst << 32;
		way->source.word[0] = fib.ipv4_src;
	} else {
		__builtin_memcpy(way->gateway.word, fib.ipv6_dst, sizeof(way->gateway.word));
		__builtin_memcpy(way->source.word, fib.ipv6_src, sizeof(way->source.word));
	}
	if (answer == BPF_FIB_LKUP_RET_SUCCESS) {
		__u32 oif = fib.ifindex;
		__u64 *interface = bpf_map_lookup_elem(&interfaces, &oif), known;

		if (!interface || oif >= L2_INTERFACES)
			return;
		known = READ_ONCE(*interface);
		__builtin_memcpy(&mac, fib.smac, 6);
		/* By swap: user space may just be taking the program off. */
		if ((known & MAC_MASK) != mac)
			__sync_val_compare_and_swap(interface, known, mac | (known & INTERFACE_XDP));
		mac = 0;
		__builtin_memcpy(&mac, fib.dmac, 6);
		way->l2 = mac | (__u64)oif << 48 | (known & INTERFACE_XDP ? 0 : L2_ONLY_TC);
	}
}

/* The way there comes first: kernel 6.1 allows no arithmetic before a pointer is known not to be NULL. */
struct question {
	struct way way;
	struct address to;
	struct address from;
	__u32 header[10]; /* the outer one of a tunnel that a packet is to be sent by */
};

/* For the stack; one for each hook: a trace runs in a process, and packets may come between. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct question);
} questions SEC(".maps");

static __always_inline struct question *question_of(__u32 hook)
{
	return bpf_map_lookup_elem(&questions, &hook);
}

/* Where a walk has its way: where it may have to be looked up, there; else in `known`, which is registers. */
static __always_inline struct way *way_of(enum hook hook, struct way *known)
{
	struct question *question;

	if (is_for_established(hook))
		return known;
	question = question_of(hook);
	return question ? &question->way : NULL;
}

/* What routers on the way told by ICMP counts for a while (related.h). */
static __always_inline void heed_path_mtu(const struct address *to, struct way *way)
{
	struct path_mtu *told = bpf_map_lookup_elem(&path_mtus, to);

	if (told && (__s32)(jiffies() - told->until) < 0 && told->mtu < way->mtu)
		way->mtu = told->mtu;
}

/* Is all known that a frame is sent by without asking the kernel? */
static __always_inline bool is_addressed(enum hook hook, __u64 l2)
{
	return is_xdp(hook) ? (__s64)l2 > 0 : l2 != 0;
}

static __always_inline __u32 interface_of(__u64 l2)
{
	return l2 >> 48 & (L2_INTERFACES - 1);
}

/* Functions of their own, for the stack: one for each kind of context. */
__noinline int look_up_at_xdp(struct xdp_md *ctx, __u32 family, __u32 hook)
{
	struct question *question = question_of(hook);

	if (!question)
		return -1;
	look_up(ctx, family, &question->to, &question->from, &question->way);
	heed_path_mtu(&question->to, &question->way);
	return 0;
}

__noinline int look_up_at_tc(struct __sk_buff *ctx, __u32 family)
{
	struct question *question = question_of(HOOK_TC);

	if (!question)
		return -1;
	look_up(ctx, family, &question->to, &question->from, &question->way);
	heed_path_mtu(&question->to, &question->way);
	return 0;
}

/* Of what the caller has put in: to whom, and from whom. */
static __always_inline void answer_question(void *ctx, enum hook hook, enum family family, struct question *question,
					    struct way *way)
{
	if (hook == HOOK_TC)
		look_up_at_tc(ctx, family);
	else
		look_up_at_xdp(ctx, family, hook);
	*way = question->way;
}

static __always_inline void ask_way(void *ctx, enum hook hook, enum family family, const struct address *to,
				    struct way *way)
{
	struct question *question = question_of(hook);

	if (!question)
		return;
	question->to = *to;
	__builtin_memset(&question->from, 0, sizeof(question->from));
	answer_question(ctx, hook, family, question, way);
}

static __always_inline __u32 next_refresh(const struct way *way, __u32 now)
{
	struct settings *set = live_settings();
	__u32 wait = set ? set->hz : 250, next;

	if (way->fib != BPF_FIB_LKUP_RET_SUCCESS)
		wait /= REFRESHES_A_SECOND_FAILED;
	next = now + wait;
	return next ? next : 1;
}

/*
 * Writing net.ipv4.ip_forward also sets every interface's own forwarding, lo's too (and net.ipv6.conf.all.forwarding those of
 * IPv6), and then nothing can be looked up until user space turns lo's on again. What was known stays in use.
 */
static __always_inline bool is_answer(const struct way *way)
{
	return way->fib != BPF_FIB_LKUP_RET_FWD_DISABLED && (__s32)way->fib >= 0;
}

/* -- to destinations -- */

/*
 * What is cached. An IPv6 gateway is more than a word: the version tells a reader that it was written meanwhile. XDP sends by
 * the one word `l2`. Of established packets only tunnels read the source: see forward_whole.
 */
static __always_inline bool read_destination_hop(enum hook hook, enum family family, const struct next_hop *hop,
						 struct way *way)
{
	bool has_gateway = family == FAMILY_6 && !is_xdp(hook) && !is_for_established(hook);
	__u32 version = has_gateway ? READ_ONCE(hop->version) : 0;

	way->fib = NO_LOOKUP;
	way->l2 = READ_ONCE(hop->l2);
	way->via = READ_ONCE(hop->via);
	way->mtu = READ_ONCE(hop->mtu);
	if (!is_for_established(hook))
		way->source = read_address(family, &hop->source);
	if (!has_gateway)
		return true;
	way->gateway = read_address(family, &hop->gateway_six);
	return !(version & 1) && READ_ONCE(hop->version) == version;
}

static __always_inline void write_destination_hop(enum family family, struct next_hop *hop, const struct way *way)
{
	__u32 version = READ_ONCE(hop->version);

	if (family == FAMILY_6 &&
	    (version & 1 || __sync_val_compare_and_swap(&hop->version, version, version + 1) != version))
		return;
	WRITE_ONCE(hop->mtu, way->mtu);
	write_address(family, &hop->source, &way->source);
	WRITE_ONCE(hop->l2, way->l2);
	WRITE_ONCE(hop->via, way->via);
	if (family == FAMILY_6) {
		write_address(family, &hop->gateway_six, &way->gateway);
		__sync_lock_test_and_set(&hop->version, version + 2);
	}
}

/* The cached way, unless it is time to look again. */
static __always_inline bool known_way_to_destination(enum hook hook, enum family family,
						     const struct destination *destination, __u32 now, struct way *way)
{
	const struct next_hop *hop = &destination->next_hop;
	__u32 refresh;

	return read_destination_hop(hook, family, hop, way) && !is_due(hop, now, &refresh);
}

/* As ip_vs_tunnel_xmit: of IPv4 packets. */
static __always_inline void heed_pmtu_disc(enum family family, const struct destination *destination, struct way *way)
{
	struct settings *set = live_settings();

	if (family != FAMILY_4 || destination->method != METHOD_TUNNEL || !set || set->pmtu_disc)
		return;
	way->l2 = 0;
	way->mtu |= MTU_WITHOUT_DF;
}

/*
 * A real server that is the director itself is behind lo, where its own address is the director's: other addresses that can't be
 * forwarded to are refused as real servers.
 */
static __always_inline void ask_destination(void *ctx, enum hook hook, enum family family,
					    const struct destination *destination, struct way *way)
{
	ask_way(ctx, hook, family, &destination->rip, way);
	if (way->fib != BPF_FIB_LKUP_RET_NOT_FWDED)
		return;
	way->via = LOOPBACK;
	way->source = destination->rip;
}

static __always_inline void look_up_way_to_destination(void *ctx, enum hook hook, enum family family,
						       struct destination *destination, __u32 now, struct way *way)
{
	struct next_hop *hop = &destination->next_hop;
	__u32 refresh = READ_ONCE(hop->refresh);

	if (hook == HOOK_TRACE) {
		ask_destination(ctx, hook, family, destination, way);
		return;
	}
	/* The first packets must not wait for the one that looks up. */
	if (READ_ONCE(hop->oif) != 0 && __sync_val_compare_and_swap(&hop->refresh, refresh, now + 25) != refresh &&
	    read_destination_hop(hook, family, hop, way))
		return;
	ask_destination(ctx, hook, family, destination, way);
	if (is_answer(way)) {
		heed_pmtu_disc(family, destination, way);
		write_destination_hop(family, hop, way);
	} else {
		__u32 fib = way->fib;

		read_destination_hop(hook, family, hop, way);
		way->fib = fib; /* why nothing else is known */
	}
	/* Where nothing is known every packet asks, and so knows why it is dropped. */
	WRITE_ONCE(hop->refresh, is_answer(way) || way->via ? next_refresh(way, now) : 0);
}

static __always_inline void way_to_destination(void *ctx, enum hook hook, enum family family,
					       struct destination *destination, __u32 now, struct way *way)
{
	if (!known_way_to_destination(hook, family, destination, now, way))
		look_up_way_to_destination(ctx, hook, family, destination, now, way);
}

/*
 * -- to clients --
 *
 * Clients are many: their ways are in a table by hash, where two may want one place. The version tells a reader that the entry
 * changed hands under it; then, or when another holds the place, the packet looks up for itself. A client's way is another one from
 * each VIP, for rules may tell them apart (snat_reroute of IPVS): `ip rule add from VIP`.
 */

static __always_inline __u32 folded(const struct address *address)
{
	return address->word[0] ^ address->word[1] ^ address->word[2] ^ address->word[3];
}

/* The source, as far as it tells VIPs apart: of IPv4 all of it. */
static __always_inline __u32 folded_source(enum family family, const struct addresses *addresses)
{
	__u64 both = family == FAMILY_4 ? (__u32)addresses->word[0] : addresses->word[0] ^ addresses->word[1];

	return both ^ both >> 32;
}

static __always_inline struct next_hop *client_hop(const struct address *to, __u32 from)
{
	__u32 place = ((folded(to) ^ from) * 0x61c88647U) >> 16;

	_Static_assert(ROUTES == 1 << 16, "place takes 16 bits");
	return bpf_map_lookup_elem(&routes, &place);
}

static __always_inline bool leads_to(enum family family, const struct next_hop *hop, const struct address *to,
				     __u32 from)
{
	struct address held;

	if (family == FAMILY_4)
		return READ_ONCE(hop->to) == to->word[0] && READ_ONCE(hop->from) == from;
	held = read_address(family, &hop->to_six);
	return READ_ONCE(hop->to) == 0 && READ_ONCE(hop->from_six) == from && is_same(family, &held, to);
}

/* False when the place is another's, or changed hands while it was read. */
static __always_inline bool read_client_hop(enum hook hook, enum family family, const struct next_hop *hop,
					    const struct address *to, __u32 from, struct way *way)
{
	__u32 version = READ_ONCE(hop->version);

	way->fib = NO_LOOKUP;
	if (version & 1 || !leads_to(family, hop, to, from))
		return false;
	way->l2 = READ_ONCE(hop->l2);
	way->via = family == FAMILY_4 ? READ_ONCE(hop->via) : READ_ONCE(hop->oif);
	way->mtu = READ_ONCE(hop->mtu);
	way->source = (struct address){};
	if (family == FAMILY_6 && !is_xdp(hook) && !is_for_established(hook))
		way->gateway = read_address(family, &hop->gateway_six);
	return READ_ONCE(hop->version) == version;
}

/* `addresses`: a reply's, from the VIP to the client. */
static __always_inline bool known_way_to_client(enum hook hook, enum family family, const struct address *to,
						const struct addresses *addresses, __u32 now, struct way *way)
{
	__u32 from = folded_source(family, addresses), refresh;
	struct next_hop *hop = client_hop(to, from);

	return hop && !is_due(hop, now, &refresh) && read_client_hop(hook, family, hop, to, from, way);
}

static __always_inline void look_up_way_to_client(void *ctx, enum hook hook, enum family family,
						  const struct address *to, const struct addresses *addresses,
						  __u32 now, struct way *way)
{
	__u32 from = folded_source(family, addresses), version, refresh;
	struct next_hop *hop = client_hop(to, from);
	struct question *question = question_of(hook);

	if (!question)
		return;
	question->to = *to;
	question->from = source_of(family, addresses);
	answer_question(ctx, hook, family, question, way);
	if (!hop)
		return;
	if (!is_answer(way)) {
		struct way known = {};

		if (read_client_hop(hook, family, hop, to, from, &known)) {
			way->l2 = known.l2;
			way->via = known.via;
			way->mtu = known.mtu;
			way->gateway = known.gateway;
		}
		return;
	}
	/* A place that two clients want changes hands all the time: then XDP, which need not probe each time, sends by itself. */
	refresh = next_refresh(way, now);
	if (hook == HOOK_XDP && !leads_to(family, hop, to, from) && way->fib == BPF_FIB_LKUP_RET_SUCCESS)
		way->fib = NO_LOOKUP;
	version = READ_ONCE(hop->version);
	if (hook == HOOK_TRACE || version & 1 ||
	    __sync_val_compare_and_swap(&hop->version, version, version + 1) != version)
		return;
	if (family == FAMILY_4) {
		WRITE_ONCE(hop->to, to->word[0]);
		WRITE_ONCE(hop->from, from);
		WRITE_ONCE(hop->via, way->via);
	} else {
		WRITE_ONCE(hop->to, 0);
		WRITE_ONCE(hop->via, (__u32)way->via | (__u64)from << 32);
		write_address(family, &hop->to_six, to);
		write_address(family, &hop->gateway_six, &way->gateway);
	}
	WRITE_ONCE(hop->mtu, way->mtu);
	WRITE_ONCE(hop->l2, way->l2);
	WRITE_ONCE(hop->refresh, refresh);
	__sync_lock_test_and_set(&hop->version, version + 2);
}
