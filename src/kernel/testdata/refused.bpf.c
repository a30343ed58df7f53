/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Compiles, but the verifier refuses it: it reads beyond the packet's checked end. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int reads_too_far(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;

	return data[100] ? XDP_PASS : XDP_DROP;
}

char licence[] SEC("license") = "Dual MIT/GPL";
