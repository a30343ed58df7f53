/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the tests of src/kernel load: one program of each kind, one map of each kind, and types of every shape. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

enum colour {
	COLOUR_RED,
	COLOUR_GREEN = 5,
	COLOUR_BLUE,
};

enum signed_colour {
	COLOUR_NONE = -1,
	COLOUR_SOME = 1,
};

enum large {
	LARGE_NONE = 0xffffffff,
};

struct inner {
	__u16 low;
	__be16 port;
	__s32 balance;
};

union number {
	__u64 whole;
	__u32 half[2];
};

struct outer {
	__u8 mac[6];
	__u16 words[3];
	struct inner inner;
	struct inner pair[2];
	union {
		struct {
			__u32 control;
			__u32 seen;
		};
		__u64 life;
	};
	enum colour colour;
	union number number;
	__s64 debt;
	const volatile __u32 fixed;
	void *pointer;
	_Bool flag;
};

struct config {
	__u32 answer;
	__u64 seed;
};

const volatile __u32 first = 1;
const volatile struct config config = { .answer = 42, .seed = 7 };

/* Becomes .rodata.cst32 or the like: the constants proper must not be mistaken for it. */
static const __u8 table[32] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5 };

enum signed_colour last_colour;
enum large last_large;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct outer);
} outers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} runs SEC(".maps");

struct inner_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner_map);
} tables SEC(".maps");

static __always_inline void count_run(void)
{
	__u32 key = 0;
	__u64 *runs_so_far = bpf_map_lookup_elem(&runs, &key);

	if (runs_so_far)
		__sync_fetch_and_add(runs_so_far, 1);
}

/* Swaps the first byte for the configured answer and sends the frame back. */
SEC("xdp")
int on_xdp(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;

	count_run();
	if ((void *)(data + 14) > (void *)(long)context->data_end)
		return XDP_DROP;
	data[0] = config.answer;
	return XDP_TX;
}

SEC("xdp")
int on_xdp_too(struct xdp_md *context)
{
	return XDP_PASS;
}

SEC("tc")
int on_tc(struct __sk_buff *skb)
{
	count_run();
	skb->mark = skb->mark + 1;
	return TC_ACT_OK;
}

SEC("tc")
int on_tc_too(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

struct request {
	__u64 jiffies;
	__u32 index;
	__u32 result;
};

SEC("syscall")
int on_syscall(struct request *request)
{
	__u32 key = 0;
	void *inner = bpf_map_lookup_elem(&tables, &key);

	request->jiffies = bpf_jiffies64();
	request->result = table[request->index & 31] + first;
	if (inner) {
		__u32 *value = bpf_map_lookup_elem(inner, &key);

		if (value)
			request->result = *value;
	}
	if (last_colour == COLOUR_SOME)
		return -1;
	return bpf_map_lookup_elem(&outers, &key) ? 1 : 0;
}

char licence[] SEC("license") = "Dual MIT/GPL";
