/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The TCP option by which a director of LVS-FULLNAT tells a real server the client, as DPVS and its kernel modules spell it. */
#pragma once

#include <linux/types.h>

#define TOA_KIND 254
#define TOA_LENGTH_4 8
#define TOA_LENGTH_6 20

/* It comes first of all options. The address follows, in network order: 4 bytes or 16. */
struct toa {
	__u8 kind;
	__u8 length;
	__be16 port;
};
