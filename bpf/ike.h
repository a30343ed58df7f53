/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IPsec's protocols belong together: AH and ESP to the client's key exchange at UDP 500 (ip_vs_proto_ah_esp.c), and beyond IPVS
 * the exchange's two ports to each other. AH and ESP without an exchange have entries of their own, which only a mark's service
 * makes: they have no ports, so both are 0.
 */
#pragma once

#include "flow.h"
#include "parse.h"

#define IKE_NAT_PORT \
	4500 /* of the exchange, and of ESP in UDP, once an address translator was found on the way (RFC 3948) */

/* The key's ports of an AH or ESP packet, and of its replies: they are the same turned round. */
static __always_inline __u64 portless_ports(enum family family, const struct addresses *addresses, __u8 protocol)
{
	struct tuple exchange = {.ports = ike_ports(), .family = family};

	copy_addresses(family, &exchange.addresses, addresses);
	return find_tuple(&exchange) != NO_SLOT ? exchange.ports : (__u64)protocol << 32;
}

/* Of a packet from and to port 500, what the same one has from and to 4500, and the other way round; 0 of all others. */
static __always_inline __u64 twin_ports(__u64 ports)
{
	__u64 twins = ike_ports() ^
		      (bpf_htons(IKE_NAT_PORT) | (__u32)bpf_htons(IKE_NAT_PORT) << 16 | (__u64)IPPROTO_UDP << 32);

	if (ports == ike_ports() || (ports ^ twins) == ike_ports())
		return ports ^ twins;
	return 0;
}
