/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Internet checksums by difference (RFC 1624). */
#pragma once

#include "parse.h"

/* `sum`: below 2^47, as are 2^14 differences: three steps carry it around. */
static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* What replacing words adds to a sum. */
static __always_inline __u64 difference(__u32 old, __u32 new)
{
	return (__u64)(__u32)~old + new;
}

/* Also between families: words that are 0 on both sides add nothing. */
static __always_inline __u64 address_difference(const struct addresses *old, const struct addresses *new)
{
	__u64 sum = 0;

	for (int i = 0; i < 4; i++)
		sum += difference(old->word[i], new->word[i]) + difference(old->word[i] >> 32, new->word[i] >> 32);
	return sum;
}

/* `added`: folded, or a sum of a few such. */
static __always_inline __u16 corrected(__u16 check, __u32 added)
{
	__u32 sum = (__u16)~check + added;

	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* UDP's 0 means that there is no checksum: it stays, and a computed 0 is sent as 0xffff (RFC 768). */
static __always_inline __u16 corrected_udp(__u16 check, __u32 added)
{
	__u16 result;

	if (check == 0)
		return 0;
	result = corrected(check, added);
	return result ? result : 0xffff;
}

/* Where layer 4 has its checksum, from its start. */
static __always_inline __u32 checksum_offset(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check);
}

/* One off the TTL, and what else was done to the header's addresses, in one correction. On the wire TTL is a word's first byte. */
static __always_inline void decrease_ttl(struct iphdr *ip, __u32 added)
{
	ip->check = corrected(ip->check, added + (__u16)~bpf_htons(0x0100));
	ip->ttl--;
}
