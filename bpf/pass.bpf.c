// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What makes a veth's other end take frames from XDP: any program there. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
