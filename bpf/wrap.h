/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tunnels that are more than IP in IP of one family: GRE and GUE, with their checksums, and real servers of the other family.
 * Byte by byte what ip_vs_tunnel_xmit and ip_vs_tunnel_xmit_v6 send. The walk hands such a packet over to programs of their own,
 * so that no other packet pays for them.
 */
#pragma once

#include "icmp.h"
#include "trace.h"

#define GRE_CHECKSUM 0x8000
#define GUE_PRIVATE 0x0001
#define GUE_REMOTE_CHECKSUM 0x80000000U
#define WRAPPED_MOST 60 /* bytes in front of a packet: IPv6, UDP, GUE, and where to find its checksum */
#define SUM_CHUNK 512 /* the most that bpf_csum_diff takes */
#define SUM_CHUNKS 20 /* what is larger has no checksum made for it: beyond jumbo frames */
#define SPARE_MOST 255

/* From the walk to the program that wraps, and what that has no stack for. */
struct parcel {
	struct packet packet;
	__u32 slot; /* of its entry, or NO_SLOT */
	__u32 now;
	__u32 destination;
	__u32 is_stateless;
	__u32 is_related; /* an ICMP error about the connection's packets: it changes no state, and nobody is told about it */
	__u32 header[WRAPPED_MOST / 4 + 1];
	__u32 chunk[SUM_CHUNK / 4 + 1];
};

/* One for each hook: a trace runs in a process, and packets may come between. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct parcel);
} parcels SEC(".maps");

static __always_inline struct parcel *parcel_of(__u32 hook)
{
	return bpf_map_lookup_elem(&parcels, &hook);
}

static __always_inline bool pack(enum hook hook, const struct walk *walk, bool is_related)
{
	struct parcel *parcel = parcel_of(hook);

	if (!parcel)
		return false;
	parcel->packet = walk->packet;
	parcel->slot = walk->flow ? walk->slot : NO_SLOT;
	parcel->now = walk->now;
	parcel->destination = walk->destination;
	parcel->is_stateless = walk->is_stateless;
	parcel->is_related = is_related;
	return true;
}

static __always_inline enum verdict hand_over(enum hook hook, const struct walk *walk, bool is_related)
{
	if (!pack(hook, walk, is_related))
		return VERDICT_PASS;
	if (walk->method != METHOD_CROSS)
		return VERDICT_WRAP;
	if (!walk->flow)
		return VERDICT_CROSS;
	return hook == HOOK_XDP ? VERDICT_TC : is_related ? VERDICT_CROSS_RELATED : VERDICT_CROSS;
}

/* How one packet is wrapped. */
struct wrapping {
	__u32 type; /* enum tunnel */
	__u32 inside; /* bytes between the outer IP header and the packet */
	__be16 port;
	bool has_sum;
	bool is_remote; /* what is inside has no checksum yet, and the real server is told where to make it */
};

/* -- sums -- */

/* The folded sum of `length` bytes from `offset`, or -1. */
static __always_inline int sum_packet(void *ctx, bool is_xdp_context, __u32 hook, __u32 offset, __u32 length)
{
	struct parcel *parcel = parcel_of(hook);
	__s64 total = 0;

	if (!parcel)
		return -1;
	for (int i = 0; i < SUM_CHUNKS && length; i++) {
		__u32 size = length < SUM_CHUNK ? length : SUM_CHUNK, last = size - 1;

		/* The older verifier must be shown that the length is neither 0 nor beyond the buffer. */
		asm volatile("" : "+r"(last));
		last &= SUM_CHUNK - 1;
		parcel->chunk[last / 4] = 0;
		if (load_bytes(ctx, is_xdp_context, offset, parcel->chunk, last + 1))
			return -1;
		total = bpf_csum_diff(NULL, 0, parcel->chunk, (last & ~3U) + 4, total);
		offset += size;
		length -= size;
	}
	return length ? -1 : fold(total);
}

/* Functions of their own, so that the verifier goes through them once. */
__noinline int sum_xdp(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	return sum_packet(ctx, true, HOOK_XDP, offset, length);
}

__noinline int sum_tc(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	return sum_packet(skb, false, HOOK_TC, offset, length);
}

/*
 * The sum of the packet as it leaves, or -1. Of one whose checksum a device fills in the part from there on is the complement of
 * what stands in the field (local checksum offload); but for SCTP's, which is a CRC.
 */
static __always_inline int sum_whole(struct __sk_buff *skb, const struct packet *packet, bool is_partial)
{
	__u16 pseudo;
	int sum;

	if (!is_partial)
		return sum_tc(skb, L3, packet->length);
	if (packet->protocol == IPPROTO_SCTP ||
	    bpf_skb_load_bytes(skb, packet->l4 + checksum_offset(packet), &pseudo, sizeof(pseudo)))
		return -1;
	sum = sum_tc(skb, L3, packet->l4 - L3);
	return sum < 0 ? sum : fold((__u64)sum + (__u16)~pseudo);
}

/* -- headers -- */

static __always_inline __u32 inside_of(const struct wrapping *wrapping)
{
	if (wrapping->type == TUNNEL_GRE)
		return wrapping->has_sum ? 8 : 4;
	if (wrapping->type == TUNNEL_GUE)
		return sizeof(struct udphdr) + (wrapping->is_remote ? 12 : 4);
	return 0;
}

static __always_inline __u8 protocol_of(enum family family, const struct wrapping *wrapping)
{
	if (wrapping->type == TUNNEL_GRE)
		return IPPROTO_GRE;
	return wrapping->type == TUNNEL_GUE ? IPPROTO_UDP : inner_protocol(family);
}

/* As udp_flow_src_port: the same for all packets of a connection, within the host's own range. */
static __always_inline __u16 tunnel_source_port(enum family family, const struct packet *packet)
{
	bool has_range = config.reserved_low <= config.reserved_high;
	__u32 low = has_range ? config.reserved_low : config.port_low;
	__u32 high = has_range ? config.reserved_high : config.port_high;
	__u64 hash = flow_hash(family, &packet->addresses, packet->ports) >> 32;

	return bpf_htons((hash * (high - low) >> 32) + low);
}

/* UDP's pseudo header without the ports. */
static __always_inline __u64 sum_pseudo(enum family outer, const struct walk *walk, const struct address *rip,
					__u32 length)
{
	__u64 sum = (__u64)bpf_htons(length) + bpf_htons(IPPROTO_UDP);

	for (int i = 0; i < (outer == FAMILY_4 ? 1 : 4); i++)
		sum += (__u64)walk->way->source.word[i] + rip->word[i];
	return sum;
}

/* `inner_sum`: of the packet. */
static __always_inline void make_gre(enum family family, const struct wrapping *wrapping, __u32 *words, __u64 inner_sum)
{
	words[0] = (wrapping->has_sum ? bpf_htons(GRE_CHECKSUM) : 0) | (__u32)ether_type(family) << 16;
	words[1] = (__u16)~fold(inner_sum + words[0]);
}

static __always_inline void make_gue(enum family family, enum family outer, const struct wrapping *wrapping,
				     __u32 *words, const struct walk *walk, const struct address *rip, __u64 inner_sum)
{
	const struct packet *packet = &walk->packet;
	__u32 length = packet->length + wrapping->inside;
	__u32 start = packet->l4 - L3;
	__u16 check;

	if (length > 0xffff) /* which is yet to be cut */
		length = 0;
	words[0] = tunnel_source_port(family, packet) | (__u32)wrapping->port << 16;
	words[1] = bpf_htons(length);
	words[2] = inner_protocol(family) << 8;
	if (wrapping->is_remote) {
		words[2] |= 2 | (__u32)bpf_htons(GUE_PRIVATE) << 16; /* two words of options */
		words[3] = bpf_htonl(GUE_REMOTE_CHECKSUM);
		words[4] = bpf_htons(start) | (__u32)bpf_htons(start + checksum_offset(packet)) << 16;
		inner_sum += (__u64)words[3] + words[4];
	}
	if (!wrapping->has_sum)
		return;
	check = ~fold(inner_sum + words[0] + words[1] + words[2] + sum_pseudo(outer, walk, rip, length));
	words[1] |= (__u32)(check ? check : 0xffff) << 16;
}

static __always_inline void make_wrapping(enum family family, enum family outer, const struct wrapping *wrapping,
					  __u32 *header, const struct walk *walk, const struct address *rip,
					  __u64 inner_sum)
{
	__u32 *within = header + tunnel_header(outer) / 4;

	make_outer_header(family, outer, header, walk, rip, protocol_of(family, wrapping), wrapping->inside);
	if (wrapping->type == TUNNEL_GRE)
		make_gre(family, wrapping, within, inner_sum);
	else if (wrapping->type == TUNNEL_GUE)
		make_gue(family, outer, wrapping, within, walk, rip, inner_sum);
}

/* -- XDP -- */

static __always_inline enum verdict wrap_xdp(struct xdp_md *ctx, enum hook hook, enum family family, enum family outer,
					     const struct walk *walk, struct parcel *parcel, const struct address *rip,
					     const struct wrapping *wrapping)
{
	void *ip = ip_at(family, packet_start(ctx, hook), packet_end(ctx, hook));
	__u32 length = tunnel_header(outer) + wrapping->inside;
	struct ethhdr *eth = packet_start(ctx, hook);
	__u64 received_at;
	int sum = 0;

	if (!ip)
		return drop(hook, REASON_MALFORMED);
	received_at = read_mac(eth);
	age(family, ip);
	if (wrapping->has_sum) {
		sum = sum_xdp(ctx, L3, walk->packet.length);
		if (sum < 0)
			return drop(hook, REASON_ADJUST_FAILED);
	}
	make_wrapping(family, outer, wrapping, parcel->header, walk, rip, sum);
	if (bpf_xdp_adjust_head(ctx, -(int)length) || bpf_xdp_store_bytes(ctx, L3, parcel->header, length))
		return drop(hook, REASON_ADJUST_FAILED);
	eth = packet_start(ctx, hook);
	if ((void *)(eth + 1) > packet_end(ctx, hook))
		return drop(hook, REASON_MALFORMED);
	eth->h_proto = ether_type(outer);
	return send_xdp(ctx, hook, eth, received_at, walk->way->l2);
}

/* -- TC -- */

/* As much as the helper for translation, which tells the kernel of another family, makes the packet longer or shorter. */
static __always_inline __s32 crossing(enum family from, enum family to)
{
	__s32 most = sizeof(struct ipv6hdr) - sizeof(struct iphdr);

	return from == to ? 0 : to == FAMILY_6 ? most : -most;
}

/*
 * Room in front of a packet whose checksum no device shall fill in. The kernel knows where that would be, and forgets it once the
 * frame begins behind that place: so as many bytes come off, and are put back. The packet must not become too short meanwhile, nor
 * be called encapsulated, for then its end can't be moved.
 */
static __always_inline long make_finished_room(struct __sk_buff *skb, enum family family, enum family outer,
					       struct parcel *parcel, __u32 header)
{
	__u32 length = skb->len, last = parcel->packet.l4 + 1;
	__s32 crossed = crossing(family, outer), off;

	asm volatile("" : "+r"(last));
	last &= SPARE_MOST;
	off = last + 1;
	/* `chunk` is done with: the sum is made. */
	return bpf_skb_change_tail(skb, length + SPARE_MOST, 0) ||
	       bpf_skb_load_bytes(skb, L3, parcel->chunk, last + 1) ||
	       bpf_skb_adjust_room(skb, -off - (crossed < 0 ? crossed : 0), BPF_ADJ_ROOM_MAC,
				   BPF_F_ADJ_ROOM_FIXED_GSO) ||
	       (outer != family && bpf_skb_change_proto(skb, ether_type(outer), 0)) ||
	       bpf_skb_adjust_room(skb, off + (__s32)header - (crossed > 0 ? crossed : 0), BPF_ADJ_ROOM_MAC,
				   BPF_F_ADJ_ROOM_FIXED_GSO) ||
	       bpf_skb_store_bytes(skb, L3 + header, parcel->chunk, last + 1, 0) ||
	       bpf_skb_change_tail(skb, length + header, 0);
}

static __always_inline __u64 wrap_flags(enum family outer, const struct wrapping *wrapping)
{
	__u64 flags = adjust_flags(outer);

	if (wrapping->type == TUNNEL_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	else if (wrapping->type == TUNNEL_GUE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	return flags;
}

static __always_inline enum verdict wrap_tc(struct __sk_buff *skb, enum hook hook, enum family family,
					    enum family outer, const struct walk *walk, struct parcel *parcel,
					    const struct address *rip, const struct wrapping *wrapping)
{
	void *ip = ip_at(family, packet_start(skb, hook), packet_end(skb, hook));
	__u32 length = tunnel_header(outer) + wrapping->inside;
	__be16 type = ether_type(outer);
	int sum = 0;

	if (!ip)
		return drop(hook, REASON_MALFORMED);
	age(family, ip);
	correct_hop_limit(skb, family);
	if (wrapping->has_sum) {
		sum = sum_whole(skb, &walk->packet, !wrapping->is_remote && is_unfinished(skb));
		if (sum < 0)
			return drop(hook, REASON_ADJUST_FAILED);
	}
	make_wrapping(family, outer, wrapping, parcel->header, walk, rip, sum);
	if (wrapping->is_remote ? make_finished_room(skb, family, outer, parcel, length)
				: bpf_skb_adjust_room(skb, length, BPF_ADJ_ROOM_MAC, wrap_flags(outer, wrapping)))
		return drop(hook, REASON_ADJUST_FAILED);
	if (bpf_skb_store_bytes(skb, L3, parcel->header, length, BPF_F_RECOMPUTE_CSUM) ||
	    (outer != family && bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0)))
		return drop(hook, REASON_ADJUST_FAILED);
	return send_tc(hook, outer, walk->way);
}

/* -- both -- */

/* A packet that is yet to be cut has one header for all its pieces, so no checksum of theirs can stand in it. */
static __always_inline void choose_wrapping(void *ctx, enum hook hook, const struct packet *packet,
					    const struct destination *destination, struct wrapping *wrapping)
{
	__u32 tunnel = READ_ONCE(destination->tunnel);
	bool is_cut = hook == HOOK_TC && ((struct __sk_buff *)ctx)->gso_size;
	bool can_be_remote = packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP;

	wrapping->type = tunnel & TUNNEL_TYPE_MASK;
	wrapping->port = READ_ONCE(destination->tunnel_port);
	wrapping->has_sum = tunnel & (TUNNEL_CSUM | TUNNEL_REMCSUM) && wrapping->type != TUNNEL_IPIP && !is_cut;
	wrapping->is_remote =
		hook == HOOK_TC && wrapping->has_sum && tunnel & TUNNEL_REMCSUM && can_be_remote && is_unfinished(ctx);
	wrapping->inside = inside_of(wrapping);
}

static __always_inline enum verdict send_wrapped(void *ctx, enum hook hook, enum family family, enum family outer,
						 struct walk *walk, struct parcel *parcel,
						 struct destination *destination)
{
	struct wrapping wrapping = {};
	enum reason reason;
	bool is_own;

	choose_wrapping(ctx, hook, &walk->packet, destination, &wrapping);
	way_to_destination(ctx, hook, outer, destination, walk->now, walk->way);
	reason = obstacle(hook, walk, tunnel_header(outer) + wrapping.inside);
	if (is_xdp(hook) && (!is_addressed(hook, walk->way->l2) || walk->way->fib != NO_LOOKUP ||
			     reason != REASON_NONE || is_to_clamp(&walk->packet, destination)))
		return VERDICT_TC;
	if (family == FAMILY_4 && hook == HOOK_TC && reason == REASON_MUST_FRAGMENT && !parcel->is_related)
		return hand_to_cutter(walk);
	is_own = is_for_director(walk, reason);
	if (hook == HOOK_TRACE) {
		trace_walk(family, outer, walk, is_own ? REASON_NONE : reason);
		if (is_own)
			return VERDICT_PASS;
		return reason == REASON_NONE ? VERDICT_SENT : VERDICT_DROP;
	}
	if (walk->flow && !parcel->is_related)
		track(walk->flow, walk->slot, &walk->packet, false, walk->now);
	count_packet(walk->destination, false, walk->packet.length);
	if (is_own)
		return VERDICT_PASS;
	if (reason == REASON_NONE && is_none(&walk->way->source))
		reason = REASON_NO_LOCAL_ADDRESS;
	if (reason == REASON_NONE) {
		if (!is_xdp(hook) && !take_tags_off(ctx, &walk->packet))
			return drop(hook, REASON_ADJUST_FAILED);
		if (!is_xdp(hook) && is_to_clamp(&walk->packet, destination) && !clamp(ctx, walk, destination))
			return drop(hook, REASON_ADJUST_FAILED);
		return is_xdp(hook) ? wrap_xdp(ctx, hook, family, outer, walk, parcel, &destination->rip, &wrapping)
				    : wrap_tc(ctx, hook, family, outer, walk, parcel, &destination->rip, &wrapping);
	}
	if (parcel->is_related || (reason != REASON_TOO_BIG && reason != REASON_TTL_EXCEEDED))
		return drop(hook, reason);
	return refuse(hook, family, walk, destination, reason);
}

/* What hand_over() left. */
static __always_inline enum verdict wrap_packet(void *ctx, enum hook hook, enum family family)
{
	struct way known;
	struct walk walk = {.way = way_of(hook, &known), .method = METHOD_TUNNEL, .new_family = family};
	struct parcel *parcel = parcel_of(hook);
	struct destination *destination;

	if (!walk.way || !parcel)
		return VERDICT_DROP;
	destination = destination_at(parcel->destination);
	if (!destination)
		return VERDICT_DROP;
	walk.packet = parcel->packet;
	walk.slot = parcel->slot;
	walk.flow = flow_at(walk.slot); /* none for NO_SLOT */
	walk.now = parcel->now;
	walk.destination = parcel->destination;
	walk.is_stateless = parcel->is_stateless;
	return READ_ONCE(destination->family) == family
		       ? send_wrapped(ctx, hook, family, family, &walk, parcel, destination)
		       : send_wrapped(ctx, hook, family, other_family(family), &walk, parcel, destination);
}
