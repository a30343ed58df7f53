/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which service a packet is for, in IPVS's order (ip_vs_service_find): its mark, its own port, the port of FTP, any port. Only
 * of what `settings.lookups` says that there is.
 */
#pragma once

#include "next_hop.h"

#define FTP_DATA 20
#define FTP 21
#define FIRST_UNPRIVILEGED 1024 /* net.ipv4.ip_unprivileged_port_start */

static __always_inline void name_mark(struct service_key *key, __u32 mark)
{
	__builtin_memset(&key->vip, 0, sizeof(key->vip));
	key->vip.word[0] = bpf_htonl(mark);
	key->port = 0;
	key->protocol = 0;
}

static __always_inline void name_target(struct service_key *key, __u64 low, __u64 high, __u64 ports)
{
	key->vip.word[0] = low;
	key->vip.word[1] = low >> 32;
	key->vip.word[2] = high;
	key->vip.word[3] = high >> 32;
	key->port = ports >> 16;
	key->protocol = ports >> 32;
}

/* In passive mode the client comes to a port of the server's choice; in active mode the server comes from port 20. */
static __always_inline bool may_be_ftp_data(__u64 ports)
{
	__u16 port = bpf_ntohs(ports >> 16);

	return (__u8)(ports >> 32) == IPPROTO_TCP && (port == FTP_DATA || port >= FIRST_UNPRIVILEGED);
}

/* `key`, a packet's target with its ports, becomes the service's own. */
static __always_inline struct service *look_up_service(void *table, __u32 lookups, struct service_key *key, __u64 ports)
{
	struct service *service = bpf_map_lookup_elem(table, key);

	if (!service && lookups & LOOKUP_FTP && may_be_ftp_data(ports)) {
		key->port = bpf_htons(FTP);
		service = bpf_map_lookup_elem(table, key);
	}
	if (!service && lookups & LOOKUP_ANY_PORT) {
		key->port = 0;
		service = bpf_map_lookup_elem(table, key);
	}
	return service;
}
