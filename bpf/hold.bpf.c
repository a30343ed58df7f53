// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What stands in the director's place for the moment in which what is in its tables is brought to another layout. Packets of
 * services are dropped, for whatever they would change is just being read; TCP sends them again. All others go on to the
 * director, and so do those of services once the moment is over: also when whoever began it is no more.
 */
#include "fairlead.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#define TAGS_MOST 2
#define TAG_BYTES 4

/* Services of marks are told by no address: then all IP is held. */
const volatile __u32 holds_all;

/* The director's own map of that name. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct address);
	__type(value, __u32);
} ends SEC(".maps");

/* When it ends at the latest: nanoseconds of CLOCK_MONOTONIC. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} hold_until SEC(".maps");

/* The program that this one stands in the place of. */
#define HELD(name_)                                    \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY); \
		__uint(max_entries, 1);                \
		__type(key, __u32);                    \
		__type(value, __u32);                  \
	} name_ SEC(".maps")

HELD(held_xdp);
HELD(held_tc);
HELD(held_own);

/* Of a frame: what helpers load from it, XDP's or TC's. */
typedef long load_bytes(const void *ctx, __u32 offset, void *to, __u32 length);

static __always_inline long load_xdp(const void *ctx, __u32 offset, void *to, __u32 length)
{
	return bpf_xdp_load_bytes((struct xdp_md *)ctx, offset, to, length);
}

static __always_inline long load_tc(const void *ctx, __u32 offset, void *to, __u32 length)
{
	return bpf_skb_load_bytes(ctx, offset, to, length);
}

static __always_inline bool is_end(const struct address *address)
{
	return bpf_map_lookup_elem(&ends, address);
}

static __always_inline bool is_of_service_four(const void *ctx, __u32 l3, load_bytes *load)
{
	struct address source = {}, target = {};
	struct iphdr ip;

	if (load(ctx, l3, &ip, sizeof(ip)))
		return false;
	source.word[0] = ip.saddr;
	target.word[0] = ip.daddr;
	return holds_all || is_end(&target) || is_end(&source);
}

static __always_inline bool is_of_service_six(const void *ctx, __u32 l3, load_bytes *load)
{
	struct address source, target;
	struct ipv6hdr ip;

	if (load(ctx, l3, &ip, sizeof(ip)))
		return false;
	__builtin_memcpy(&source, &ip.saddr, sizeof(source));
	__builtin_memcpy(&target, &ip.daddr, sizeof(target));
	return holds_all || is_end(&target) || is_end(&source);
}

static __always_inline bool is_of_service(const void *ctx, load_bytes *load)
{
	__u32 at = offsetof(struct ethhdr, h_proto);
	__be16 protocol;

	for (int tags = 0; tags <= TAGS_MOST; tags++) {
		if (load(ctx, at, &protocol, sizeof(protocol)))
			return false;
		if (protocol == bpf_htons(ETH_P_IP))
			return is_of_service_four(ctx, at + sizeof(protocol), load);
		if (protocol == bpf_htons(ETH_P_IPV6))
			return is_of_service_six(ctx, at + sizeof(protocol), load);
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			return false;
		at += TAG_BYTES;
	}
	return false;
}

static __always_inline bool is_held(const void *ctx, load_bytes *load)
{
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&hold_until, &zero);

	return until && bpf_ktime_get_ns() < *until && is_of_service(ctx, load);
}

SEC("xdp")
int hold_xdp(struct xdp_md *ctx)
{
	if (is_held(ctx, load_xdp))
		return XDP_DROP;
	bpf_tail_call_static(ctx, &held_xdp, 0);
	return XDP_PASS;
}

SEC("tc")
int hold_tc(struct __sk_buff *skb)
{
	if (is_held(skb, load_tc))
		return TC_ACT_SHOT;
	bpf_tail_call_static(skb, &held_tc, 0);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int hold_own(struct __sk_buff *skb)
{
	if (is_held(skb, load_tc))
		return TC_ACT_SHOT;
	bpf_tail_call_static(skb, &held_own, 0);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
