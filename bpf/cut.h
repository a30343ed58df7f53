/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An IPv4 packet that is too large for its way, and may be fragmented: cut before anything else is done to it, so that its pieces
 * are fragments like those that come from outside. The first piece walks on at once, the rest goes back into the receive queue, where
 * it may be too large again. Of a packet that is yet to be segmented the segments become smaller. In a program of its own, at TC.
 */
#pragma once

#include "fragment.h"
#include "icmp.h"
#include "options.h"

#define IP_MORE_FRAGMENTS 0x2000
#define IP_HEADER_MOST 60
#define IP_OPTION_COPIED 0x80
#define PIECE_MOST 4088 /* the kernel takes no more off a packet's front at once */
#define PIECE_ROOM 4096
#define GROW_MOST 4095
#define SUM_MOST (CHUNK * CHUNKS) /* that sum_bytes() takes */
#define SUMS ((0xffff + SUM_MOST - 1) / SUM_MOST)

/* What a walk has to say about it, and what the program has no stack for. */
struct cut {
	struct packet packet;
	__u32 mtu;
	__u32 destination; /* of a datagram that was scheduled by itself, counted from 1 */
	__u32 header_sum; /* of its header: what is not right is not made so */
	__u32 header[IP_HEADER_MOST / 4 + 1];
	__u32 piece[PIECE_ROOM / 4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cut);
} cuts SEC(".maps");

static __always_inline struct cut *current_cut(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cuts, &zero);
}

static __always_inline enum verdict hand_to_cutter(const struct walk *walk)
{
	struct cut *cut = current_cut();

	if (!cut)
		return VERDICT_DROP;
	cut->packet = walk->packet;
	cut->mtu = walk->way->mtu;
	cut->destination = walk->is_stateless ? walk->destination + 1 : 0;
	return VERDICT_CUT;
}

/* -- segments -- */

/* The kernel takes what is put in front off each segment's size; then it comes off again. Not of datagrams, which have their size. */
static __always_inline bool shrink_segments(struct __sk_buff *skb, const struct cut *cut)
{
	__u32 excess = cut->packet.segment - cut->mtu;

	if (cut->packet.protocol != IPPROTO_TCP || excess >= skb->gso_size || excess > GROW_MOST)
		return false;
	return !bpf_skb_adjust_room(skb, excess, BPF_ADJ_ROOM_MAC, 0) &&
	       !bpf_skb_adjust_room(skb, -(__s32)excess, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

/* -- fragments -- */

/*
 * The checksum over the whole packet that a device was to make. That a device shall make one the kernel forgets when what is taken off
 * the front has that place in it.
 */
static __always_inline bool finish_checksum(struct __sk_buff *skb, const struct packet *packet, __u32 size)
{
	__u32 at = packet->l4, length = packet->length - (packet->l4 - L3);
	__u64 total = 0;
	__u16 check;

	if (packet->rare || packet->protocol == IPPROTO_SCTP || size <= packet->l4)
		return false;
	for (int i = 0; i < SUMS && length; i++) {
		__u32 part = length < SUM_MOST ? length : SUM_MOST;
		int sum = sum_bytes(skb, at, part);

		if (sum < 0)
			return false;
		total += sum;
		at += part;
		length -= part;
	}
	check = ~fold(total);
	if (!check && packet->protocol == IPPROTO_UDP)
		check = 0xffff;
	return !bpf_skb_store_bytes(skb, packet->l4 + checksum_offset(packet), &check, sizeof(check), 0);
}

/* Bytes between the packet and `buffer`, which is in a map: 1 to `most` of them, a power of two less one. */
static __always_inline long load_some(struct __sk_buff *skb, __u32 offset, void *buffer, __u32 length, __u32 most)
{
	__u32 last = length - 1;

	asm volatile("" : "+r"(last));
	last &= most;
	return bpf_skb_load_bytes(skb, offset, buffer, last + 1);
}

static __always_inline long store_some(struct __sk_buff *skb, __u32 offset, void *buffer, __u32 length, __u32 most)
{
	__u32 last = length - 1;

	asm volatile("" : "+r"(last));
	last &= most;
	return bpf_skb_store_bytes(skb, offset, buffer, last + 1, BPF_F_RECOMPUTE_CSUM);
}

struct option_walk {
	__u32 end;
	__u32 left; /* bytes of the option that it is in */
	__u32 is_kept;
};

static long option_step(__u32 index, void *context)
{
	__u32 at = sizeof(struct iphdr) + index;
	struct option_walk *walk = context;
	struct cut *cut = current_cut();
	__u8 *bytes;

	if (!cut || at >= walk->end)
		return 1;
	bytes = (__u8 *)cut->header;
	if (!walk->left) {
		if (bytes[at & 63] == OPTION_END)
			return 1;
		walk->left = bytes[at & 63] == OPTION_NONE ? 1 : bytes[(at + 1) & 63];
		walk->is_kept = bytes[at & 63] & IP_OPTION_COPIED;
	}
	if (!walk->left)
		return 1;
	walk->left--;
	if (!walk->is_kept)
		bytes[at & 63] = OPTION_NONE;
	return 0;
}

/* As ip_options_fragment: later fragments have only those options that say so, and nothing in the others' places. */
static __always_inline void drop_options(__u32 header)
{
	struct option_walk walk = {.end = header};

	bpf_loop(OPTIONS_MOST, option_step, &walk, 0);
}

/* `place`: offset in units of 8 bytes, with the flag that more follow. */
static __always_inline long store_header(struct __sk_buff *skb, struct cut *cut, __u32 header, __u32 payload,
					 __u32 place)
{
	struct iphdr *ip = (void *)cut->header;

	ip->tot_len = bpf_htons(header + payload);
	ip->frag_off = bpf_htons(place);
	ip->check = 0;
	ip->check = fold((__u64)cut->header_sum +
			 (__u16)~fold(bpf_csum_diff(NULL, 0, cut->header, sizeof(cut->header), 0)));
	return store_some(skb, L3, cut->header, header, 63);
}

/* The pieces find each other whatever CPU they come to, and the first one is not scheduled again. */
static __always_inline void note_cut(const struct cut *cut, __u32 id)
{
	struct fragment_note note = {.ports = cut->packet.ports, .destination = cut->destination, .is_cut = 1};
	struct fragment_key key = {.addresses = cut->packet.addresses, .id = id, .protocol = cut->packet.protocol};

	if (cut->packet.rare & RARE_LATER_FRAGMENT)
		return;
	note.seen = jiffies();
	bpf_map_update_elem(&fragments, &key, &note, BPF_ANY);
}

static __always_inline bool split(struct __sk_buff *skb, struct cut *cut)
{
	__u32 header = cut->packet.l4 - L3, payload = cut->packet.length - header, size = (cut->mtu - header) & ~7U;
	struct iphdr *ip = (void *)cut->header;
	__u32 place;

	if (cut->mtu < header + 8 || header < sizeof(*ip) || header > IP_HEADER_MOST)
		return false;
	if (size > PIECE_MOST)
		size = PIECE_MOST;
	if (size >= payload || (is_unfinished(skb) && !finish_checksum(skb, &cut->packet, size)))
		return false;
	__builtin_memset(cut->header, 0, sizeof(cut->header));
	if (load_some(skb, L3, cut->header, header, 63) ||
	    load_some(skb, L3 + header, cut->piece, size, PIECE_ROOM - 1))
		return false;
	cut->header_sum = fold(bpf_csum_diff(NULL, 0, cut->header, sizeof(cut->header), 0));
	place = bpf_ntohs(ip->frag_off);
	/* What must not be fragmented needs no id of its own (RFC 6864); here it does all the same (pmtu_disc=0). */
	if (place & IP_DONT_FRAGMENT && !(place & IP_FRAGMENT))
		ip->id = bpf_get_prandom_u32();
	place &= IP_FRAGMENT;
	note_cut(cut, ip->id);

	/* The rest: the first piece comes off the front. */
	if (bpf_skb_adjust_room(skb, -(__s32)size, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return false;
	if (place & IP_OFFSET || header == sizeof(*ip)) {
		if (store_header(skb, cut, header, payload - size, place + size / 8))
			return false;
	} else {
		__u32 options[10];

		__builtin_memcpy(options, ip + 1, sizeof(options));
		drop_options(header);
		if (store_header(skb, cut, header, payload - size, place + size / 8))
			return false;
		__builtin_memcpy(ip + 1, options, sizeof(options));
	}
	if (bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
		return false;

	return !bpf_skb_change_tail(skb, L3 + header + size, 0) &&
	       !store_header(skb, cut, header, size, place | IP_MORE_FRAGMENTS) &&
	       !store_some(skb, L3 + header, cut->piece, size, PIECE_ROOM - 1);
}

/* WALK: what is left of the packet walks from the start. */
static __always_inline enum verdict cut_packet(struct __sk_buff *skb)
{
	struct cut *cut = current_cut();

	if (!cut)
		return VERDICT_DROP;
	if (!take_tags_off(skb, &cut->packet))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	/* What the director sends itself could not come back to be cut further. */
	if (skb->gso_size ? shrink_segments(skb, cut) : !is_made_here(skb) && split(skb, cut))
		return VERDICT_WALK;
	return drop(HOOK_TC, REASON_MUST_FRAGMENT);
}
