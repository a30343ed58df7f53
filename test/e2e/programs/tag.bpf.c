// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A client in VLAN 10, and in VLAN 20 of that, where the kernel has no VLAN devices. Its ARP stays untagged. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

SEC("tc/one")
int tag(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 10);
	return TC_ACT_OK;
}

SEC("tc/two")
int tag_twice(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 20);
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 10);
	}
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
