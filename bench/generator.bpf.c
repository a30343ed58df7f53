// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Packets for the director, one for each run, since a test run does not restore its packet: a generator writes the next flow's
 * headers and tail-calls what is measured. With an empty target it tells what it costs itself.
 *
 * Every field that a director loads stands whole in one store, for a load that needs two of them waits 5 to 8 ns. So does one that
 * needs a store across a cache line's end, which byte 64 is.
 */
#include "fairlead.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>

#define FRAME 60 /* Ethernet, IPv4, TCP and 6 bytes */
#define FRAME_SIX 80 /* Ethernet, IPv6, TCP and 6 bytes */
#define LOOPBACK 1
#define KEYS (1 << 20)
#define SLOTS (1 << 21)

/* The frame as it is stored, and how flow n differs from flow 0. */
struct plan {
	__u64 next; /* n of the next packet */
	__u64 mask; /* flows - 1; flows is a power of two */
	__u64 growth; /* bytes that the target puts in front */
	__u64 from_keys; /* not computed, but taken from `keys` */
	__u64 ethernet; /* frame from byte 0: the MACs */
	__u64 type; /* from 8: type, version, tos */
	__u64 length; /* from 16: length, id, fragment, ttl, protocol */
	__u64 addresses; /* from 26 */
	__u64 ports; /* from 34: and sequence number */
	__u64 flags; /* from 42: acknowledgement, flags, window */
	__u32 checksums; /* IPv4's, and TCP's << 16; the director corrects them, whatever they are */
};

/* The same of IPv6, whose fields lie elsewhere. */
struct plan_six {
	__u64 next;
	__u64 mask;
	__u64 growth;
	__u64 ethernet; /* frame from byte 0: the MACs */
	__u32 source_mac; /* from 8: its end */
	__u16 type; /* from 12 */
	__u16 unused;
	__u32 version; /* from 14: traffic class and flow label */
	__u32 length; /* from 18: next header, hop limit */
	__u64 addresses[4]; /* from 22 */
	__u64 ports; /* from 54: and sequence number */
	__u64 flags; /* from 66: flags, window, checksum; TCP's acknowledgement, before them, is 0 */
};

struct key {
	__u64 addresses;
	__u64 ports;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plan);
} plans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plan_six);
} plans_six SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KEYS);
	__type(key, __u32);
	__type(value, struct key);
} keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xdp_target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tc_target SEC(".maps");

/* A connection table without what makes it one. */
struct slot {
	__u64 words[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

static __always_inline struct plan *current_plan(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&plans, &zero);
}

static __always_inline struct plan_six *current_plan_six(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&plans_six, &zero);
}

/* A permutation of all flows, whose order no prefetcher knows. */
static __always_inline __u64 flow_after(__u64 n, __u64 mask)
{
	return (n * 0x5851f42d4c957f2dULL + 1) & mask;
}

/* A flow for this packet; the next one's number follows. */
static __always_inline struct key next_key(struct plan *plan)
{
	__u64 n = plan->next;
	struct key key = {.addresses = plan->addresses, .ports = plan->ports};

	if (plan->from_keys) {
		__u32 index = n;
		struct key *stored = bpf_map_lookup_elem(&keys, &index);

		plan->next = (n + 1) & plan->mask;
		if (stored)
			key = *stored;
		return key;
	}
	plan->next = flow_after(n, plan->mask);
	/* The client's address and port on the wire: their last bytes count. */
	key.addresses += (n & 0xff00) << 8 | (n & 0xff) << 24;
	key.ports += (n >> 16 & 0xff) << 8;
	return key;
}

static __always_inline void write_frame(void *start, const struct plan *plan, struct key key)
{
	*(__u64 *)start = plan->ethernet;
	*(__u64 *)(start + 8) = plan->type;
	*(__u64 *)(start + 16) = plan->length;
	*(__u16 *)(start + 24) = plan->checksums;
	*(__u64 *)(start + 26) = key.addresses;
	*(__u64 *)(start + 34) = key.ports;
	*(__u64 *)(start + 42) = plan->flags;
	*(__u16 *)(start + 50) = plan->checksums >> 16;
}

static __always_inline void write_frame_six(void *start, struct plan_six *plan)
{
	__u64 n = plan->next;

	plan->next = flow_after(n, plan->mask);
	*(__u64 *)start = plan->ethernet;
	*(__u32 *)(start + 8) = plan->source_mac;
	*(__u16 *)(start + 12) = plan->type;
	*(__u32 *)(start + 14) = plan->version;
	*(__u32 *)(start + 18) = plan->length;
	*(__u64 *)(start + 22) = plan->addresses[0];
	/* As of IPv4: the last bytes of the client's address and port. */
	*(__u64 *)(start + 30) = plan->addresses[1] + ((n >> 8 & 0xff) << 48 | (n & 0xff) << 56);
	*(__u64 *)(start + 38) = plan->addresses[2];
	*(__u64 *)(start + 46) = plan->addresses[3];
	*(__u64 *)(start + 54) = plan->ports + ((n >> 16 & 0xff) << 8);
	*(__u16 *)(start + 62) = 0;
	*(__u16 *)(start + 64) = 0;
	*(__u64 *)(start + 66) = plan->flags;
}

/* What the last packet's target put in front goes; where it put nothing there, the call is made all the same. */
static __always_inline void take_growth_off(struct xdp_md *ctx, int growth, __u32 frame)
{
	if (growth)
		bpf_xdp_adjust_head(ctx, ctx->data_end - ctx->data > frame ? growth : -growth);
}

SEC("xdp")
int generate_xdp(struct xdp_md *ctx)
{
	struct plan *plan = current_plan();
	void *start, *end;

	if (!plan)
		return XDP_ABORTED;
	take_growth_off(ctx, plan->growth, FRAME);
	start = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (start + FRAME > end)
		return XDP_ABORTED;
	write_frame(start, plan, next_key(plan));
	bpf_tail_call_static(ctx, &xdp_target, 0);
	return XDP_ABORTED;
}

SEC("tc")
int generate_tc(struct __sk_buff *skb)
{
	struct plan *plan = current_plan();
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (!plan || start + FRAME > end)
		return TC_ACT_SHOT;
	write_frame(start, plan, next_key(plan));
	bpf_tail_call_static(skb, &tc_target, 0);
	return TC_ACT_SHOT;
}

SEC("xdp")
int generate_xdp_six(struct xdp_md *ctx)
{
	struct plan_six *plan = current_plan_six();
	void *start, *end;

	if (!plan)
		return XDP_ABORTED;
	take_growth_off(ctx, plan->growth, FRAME_SIX);
	start = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (start + FRAME_SIX > end)
		return XDP_ABORTED;
	write_frame_six(start, plan);
	bpf_tail_call_static(ctx, &xdp_target, 0);
	return XDP_ABORTED;
}

SEC("tc")
int generate_tc_six(struct __sk_buff *skb)
{
	struct plan_six *plan = current_plan_six();
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (!plan || start + FRAME_SIX > end)
		return TC_ACT_SHOT;
	write_frame_six(start, plan);
	bpf_tail_call_static(skb, &tc_target, 0);
	return TC_ACT_SHOT;
}

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	return XDP_REDIRECT;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return TC_ACT_REDIRECT;
}

static __always_inline bool is_tcp(const struct iphdr *ip, const struct ethhdr *eth)
{
	return eth->h_proto == bpf_htons(ETH_P_IP) && ip->ihl == 5 && ip->protocol == IPPROTO_TCP;
}

/* The least that anything which forwards must do. */
SEC("xdp")
int bare_redirect(struct xdp_md *ctx)
{
	void *start = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = start;
	struct iphdr *ip = start + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > end || !is_tcp(ip, eth) || tcp->dest == 0)
		return XDP_PASS;
	__builtin_memset(eth->h_dest, 2, ETH_ALEN);
	return bpf_redirect(LOOPBACK, 0);
}

/* The same for frames that are really sent: out of the interface that they came in by. */
SEC("xdp")
int bare_tx(struct xdp_md *ctx)
{
	void *start = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = start;
	struct iphdr *ip = start + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > end || !is_tcp(ip, eth) || tcp->dest == 0)
		return XDP_DROP;
	__builtin_memset(eth->h_dest, 2, ETH_ALEN);
	return XDP_TX;
}

/* And the least for one that remembers connections: a hash, and the line of the table that it names. */
SEC("xdp")
int bare_slot(struct xdp_md *ctx)
{
	void *start = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = start;
	struct iphdr *ip = start + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	struct slot *slot;
	__u64 hash;
	__u32 index;

	if ((void *)(tcp + 1) > end || !is_tcp(ip, eth) || tcp->dest == 0)
		return XDP_PASS;
	hash = (*(__u64 *)&ip->saddr ^ (__u64) * (__u32 *)&tcp->source << 16) * 0x9e3779b97f4a7c15ULL;
	index = (hash >> 40) & (SLOTS - 1);
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot || slot->words[0])
		return XDP_PASS;
	__builtin_memset(eth->h_dest, 2, ETH_ALEN);
	return bpf_redirect(LOOPBACK, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
