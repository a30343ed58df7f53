// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A director's place without a director: a frame that comes in on one side goes out on the other, to the one host that is there.
 * bench/end-to-end/network.ts gives interfaces and hosts the numbers that are written here.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#define OUTER 2
#define INNER 3

SEC("tc")
int bare(struct __sk_buff *skb)
{
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = start;
	int is_outer = skb->ifindex == OUTER;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	__builtin_memset(eth->h_dest, 0, ETH_ALEN);
	eth->h_dest[0] = 2;
	eth->h_dest[4] = is_outer;
	eth->h_dest[5] = is_outer ? 2 : 1; /* the real server, or the client */
	return bpf_redirect(is_outer ? INNER : OUTER, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
