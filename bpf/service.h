/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which service a packet is for: one lookup in the table in force. */
#pragma once

#include "next_hop.h"

static __always_inline struct service *find_service(enum family family, const struct addresses *addresses, __u64 ports)
{
	struct service_key key = {};
	__u32 zero = 0;
	void *table;

	key.vip = target_of(family, addresses);
	key.port = ports >> 16;
	key.protocol = ports >> 32;
	key.family = family;
	table = bpf_map_lookup_elem(&service_tables, &zero);
	return table ? bpf_map_lookup_elem(table, &key) : NULL;
}
