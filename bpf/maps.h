/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The maps, all pinned for the namespace. User space sets the sizes that are 1 here. */
#pragma once

#include "fairlead.h"
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <stddef.h>

/* A copy of this namespace's instance and the names user space looks up: constants to the verifier. */
const volatile struct instance config;
const volatile struct vocabulary vocabulary;

#define SHARED_ARRAY(name_, value_, entries_)      \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, entries_);     \
		__type(key, __u32);                \
		__type(value, value_);             \
	} name_ SEC(".maps")

SHARED_ARRAY(flows, struct flow, 1); /* slot -> entry of the connection table */
SHARED_ARRAY(flow_pages, __u64, 1); /* bit -> 64 slots that may hold connections: what sweeps and listings skip by */
SHARED_ARRAY(destinations, struct destination, 1);
SHARED_ARRAY(counters, struct counters, 1); /* cpu * destination_slots + destination -> what that CPU counted */
SHARED_ARRAY(rates, struct rates, 1); /* destination -> its moving averages */
SHARED_ARRAY(members, struct member, 1); /* regions that services name */
SHARED_ARRAY(buckets, __u32,
	     1); /* sh, dh, mh: regions of BUCKETS or MH_BUCKETS -> position among the service's members */
SHARED_ARRAY(local_addresses, struct address, 1); /* fullnat: regions that services name */
SHARED_ARRAY(cursors, __u64, 1); /* service id -> rr's and wrr's place */
SHARED_ARRAY(settings, struct settings, 1);
SHARED_ARRAY(instances, struct instance, 1);
SHARED_ARRAY(interfaces, __u64, 65536); /* interface index -> MAC and INTERFACE_* */

#define ROUTES 65536
SHARED_ARRAY(routes, struct next_hop, ROUTES); /* hash of an address -> the way to it: replies go by these */

/* struct service_key -> struct service. By sizes: kernel 6.1 takes tables made later, without BTF, only if this has none. */
struct service_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct service_key));
	__uint(value_size, sizeof(struct service));
};

/* One element: the table in force. A transaction puts a new table in its place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct service_table);
} service_tables SEC(".maps");

/* slot of a template -> struct call_id. By sizes, as above. */
struct call_id_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct call_id));
};

/* One, from the first service with --pe sip on. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct call_id_table);
} call_id_tables SEC(".maps");

/* struct address -> enum end: whose fragments may be a connection's although their first one has not come. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct address);
	__type(value, __u32);
} ends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct address);
	__type(value, struct path_mtu);
} path_mtus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384); /* as IPVS's for one service */
	__type(key, struct locality_key);
	__type(value, struct locality);
} localities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, __u32);
	__type(value, __u64);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENTS);
	__type(key, __u32);
	__type(value, __u64);
} events SEC(".maps");

SHARED_ARRAY(traces, struct trace, 1); /* the trace program's answer */
SHARED_ARRAY(icmp_budget, __u64, 1); /* low half tokens, high half the jiffies of the last refill */

static __always_inline struct flow *flow_at(__u32 slot)
{
	return bpf_map_lookup_elem(&flows, &slot);
}

static __always_inline struct destination *destination_at(__u32 index)
{
	return bpf_map_lookup_elem(&destinations, &index);
}

static __always_inline struct member *member_at(__u32 index)
{
	return bpf_map_lookup_elem(&members, &index);
}

static __always_inline struct settings *live_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline struct trace *current_trace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&traces, &zero);
}

/* The low half: differences of up to 2^31 jiffies are what timeouts need. */
static __always_inline __u32 jiffies(void)
{
	return (__u32)bpf_jiffies64();
}

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
