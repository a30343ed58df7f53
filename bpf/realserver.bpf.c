// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The far end of LVS-TUN on a real server, at TC ingress: takes the client's packet out of the director's. What is left
 * alone goes on to other filters and to the kernel's stack as it came.
 */
#include "fairlead.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#define AF_INET 2
#define PACKET_HOST 0
#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define ECN_MASK 3
#define ECN_CE 3

/* Why an IP-in-IP packet that came to this machine was not decapsulated. Numbers are never reused. */
enum refusal {
	REFUSAL_VIP_UNKNOWN,
	REFUSAL_FRAGMENT, /* of the outer packet: only the first one holds the inner header */
	REFUSAL_TRUNCATED,
	REFUSAL_NOT_IPV4, /* what is inside */
	REFUSAL_TO_ANOTHER_HOST, /* this machine is its router, not its end */
	REFUSAL_CONGESTED, /* dropped, as a router marked it and its sender would not learn of it (RFC 6040) */
	REFUSAL_ADJUST_FAILED, /* the kernel would not take the header off */
	REFUSALS,
};

/* No map mentions the names: this brings them into the BTF. */
const volatile enum refusal vocabulary;

/* What was decapsulated for one VIP, on one CPU. */
struct traffic {
	__u64 packets;
	__u64 bytes; /* of inner IP */
};

/* VIP to what came for it. A VIP that is not in here is not decapsulated. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct address);
	__type(value, struct traffic);
	__uint(max_entries, 4096);
} vips SEC(".maps");

/* enum refusal to its count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, REFUSALS);
} refusals SEC(".maps");

static __always_inline int refuse(enum refusal refusal)
{
	__u32 key = refusal;
	__u64 *count = bpf_map_lookup_elem(&refusals, &key);

	if (count)
		(*count)++;
	return refusal == REFUSAL_CONGESTED ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/*
 * The kernel forwards only what is for another host, and only where forwarding is on: a route for the outer packet means
 * that the tunnel ends elsewhere. An own address and no route at all answer alike.
 */
static __always_inline bool ends_here(struct __sk_buff *skb, const struct iphdr *outer)
{
	struct bpf_fib_lookup route = {
		.family = AF_INET,
		.ifindex = skb->ifindex,
		.ipv4_src = outer->saddr,
		.ipv4_dst = outer->daddr,
	};
	long answer = bpf_fib_lookup(skb, &route, sizeof(route), BPF_FIB_LOOKUP_SKIP_NEIGH);

	return answer < 0 || answer == BPF_FIB_LKUP_RET_NOT_FWDED || answer == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* The header is in place of the outer one by now. Header checksum and TOS change together: their sum stays what it was. */
static __always_inline void mark_congestion(struct __sk_buff *skb, const struct iphdr *inner)
{
	__u8 tos = inner->tos | ECN_CE;

	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), bpf_htons(inner->tos), bpf_htons(tos), 2);
	bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, tos), &tos, sizeof(tos), 0);
}

/* FIXED_GSO: segments keep their size, for what they carry does not change. */
static __always_inline int decapsulate(struct __sk_buff *skb, const struct iphdr *outer, const struct iphdr *inner,
				       struct traffic *traffic)
{
	bool is_congested = (outer->tos & ECN_MASK) == ECN_CE;
	__s32 length = outer->ihl * 4;

	if (is_congested && (inner->tos & ECN_MASK) == 0)
		return refuse(REFUSAL_CONGESTED);
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return refuse(REFUSAL_ADJUST_FAILED);
	if (is_congested)
		mark_congestion(skb, inner);
	traffic->packets++;
	traffic->bytes += skb->len - ETH_HLEN;
	return TC_ACT_OK;
}

/* The tag of a VLAN is beside the packet, not in it: the kernel has taken it out. */
SEC("tc")
int realserver_tc(struct __sk_buff *skb)
{
	struct iphdr outer, inner;
	struct address vip = {};
	struct traffic *traffic;
	__u32 header;

	if (skb->pkt_type != PACKET_HOST || skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &outer, sizeof(outer)))
		return TC_ACT_UNSPEC;
	if (outer.version != 4 || outer.protocol != IPPROTO_IPIP)
		return TC_ACT_UNSPEC;
	if (outer.frag_off & bpf_htons(IP_FRAGMENT))
		return refuse(REFUSAL_FRAGMENT);

	header = outer.ihl * 4;
	if (header < sizeof(outer) || bpf_skb_load_bytes(skb, ETH_HLEN + header, &inner, sizeof(inner)))
		return refuse(REFUSAL_TRUNCATED);
	if (inner.version != 4)
		return refuse(REFUSAL_NOT_IPV4);
	/* A packet that is yet to be segmented has no lengths of its own. */
	if (!skb->gso_size && ETH_HLEN + header + bpf_ntohs(inner.tot_len) > skb->len)
		return refuse(REFUSAL_TRUNCATED);

	vip.word[0] = inner.daddr;
	traffic = bpf_map_lookup_elem(&vips, &vip);
	if (!traffic)
		return refuse(REFUSAL_VIP_UNKNOWN);
	if (!ends_here(skb, &outer))
		return refuse(REFUSAL_TO_ANOTHER_HOST);
	return decapsulate(skb, &outer, &inner, traffic);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
