/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the programs of a real server of LVS-FULLNAT share: whom they believe who a client is, and what they count. */
#pragma once

#include "fairlead.h"
#include "toa.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#define AF_INET 2
#define MAPPED bpf_htonl(0xffff) /* the third word of an IPv4 address */

/* A cgroup's programs see the sockets of all network namespaces. */
const volatile __u64 netns_cookie;

enum tale {
	TALE_LEARNED, /* a director told who the client is */
	TALE_TOLD, /* and a socket has it */
	TALE_NOT_FROM_DIRECTOR, /* somebody else did: not believed */
	TALES,
};

/* A connection as the real server's stack has it. */
struct connection {
	struct address local;
	struct address remote;
	__be16 local_port;
	__be16 remote_port;
};

struct client {
	struct address address;
	__be16 port;
	__u16 unused;
};

struct prefix {
	__u32 length; /* in bits */
	struct address address;
};

/* No map mentions it: this brings it into the BTF. */
const volatile struct {
	enum tale tale;
} vocabulary;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct prefix);
	__type(value, __u32);
} directors SEC(".maps");

/* enum tale to its count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TALES);
	__type(key, __u32);
	__type(value, __u64);
} tales SEC(".maps");

static __always_inline bool is_director(const struct address *address)
{
	struct prefix prefix = {.length = 128, .address = *address};

	return bpf_map_lookup_elem(&directors, &prefix);
}

static __always_inline void count(enum tale tale)
{
	__u32 key = tale;
	__u64 *times = bpf_map_lookup_elem(&tales, &key);

	if (times)
		(*times)++;
}

static __always_inline struct address mapped(__be32 four)
{
	return (struct address){.word = {0, 0, MAPPED, four}};
}

static __always_inline bool is_mapped(const struct address *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == MAPPED;
}

static __always_inline bool is_same(const struct address *a, const struct address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}
