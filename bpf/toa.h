/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The options by which a director of LVS-FULLNAT tells a real server the client, as DPVS and its kernel modules (toa, uoa) spell
 * them: TOA of TCP; UOA of IPv4, or in a header of DPVS's own between IP and UDP.
 */
#pragma once

#include <linux/types.h>

#define TOA_KIND 254 /* of TCP's options */
#define UOA_KIND 31 /* of IPv4's */
#define TOA_LENGTH_4 8
#define TOA_LENGTH_6 20

#define UOA_PROTOCOL 248 /* of the header */
#define UOA_VERSION_4 0x10
#define UOA_VERSION_6 0x20

/* It comes first of all options. The address follows, in network order: 4 bytes or 16. */
struct toa {
	__u8 kind;
	__u8 length;
	__be16 port;
};

/* The option follows. */
struct uoa_header {
	__u8 version;
	__u8 protocol; /* of what comes behind */
	__be16 length; /* in bytes, with the option */
};
