/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IPv4 options and IPv6 hop-by-hop options: whether a packet with them may be forwarded as it is. Those that lay down a route, those
 * that a router must know and malformed ones are the kernel's own, which drops them or answers.
 */
#pragma once

#include "chunk.h"
#include "fairlead.h"
#include "toa.h"

#define OPTIONS_MOST 40 /* one byte each: IPv4 has no room for more */

enum ip_option {
	OPTION_END = 0, /* IPv6: a byte of padding */
	OPTION_NONE = 1, /* of IPv4 */
	OPTION_RECORD_ROUTE = 7,
	OPTION_UOA = UOA_KIND,
	OPTION_TIMESTAMP = 68,
	OPTION_LOOSE_ROUTE = 131,
	OPTION_STRICT_ROUTE = 137,
	OPTION_ROUTER_ALERT = 148,
	OPTION_SIX_MUST_BE_KNOWN = 0xc0, /* bits: what does not know it may not skip it (RFC 8200, 4.2) */
};

enum timestamp_flag {
	TIMESTAMP_WITH_ADDRESS = 1,
	TIMESTAMP_OF_ADDRESS = 3, /* that the sender has put there */
};

struct ip_option_head {
	__u8 kind;
	__u8 length;
};

/* Behind the head of these two: where the next router would write, and of a timestamp who has written and who could not. */
struct record {
	__u8 pointer;
	__u8 flags;
};

static __always_inline bool has_address_and_time(__u8 kind, __u8 flag)
{
	return kind == OPTION_TIMESTAMP && (flag == TIMESTAMP_WITH_ADDRESS || flag == TIMESTAMP_OF_ADDRESS);
}

/* As ip_options_compile: there is room for what a router would write, or none at all. */
static __always_inline bool is_sound_record(const struct ip_option_head *option, const struct record *record)
{
	bool is_route = option->kind == OPTION_RECORD_ROUTE;
	__u8 flag = record->flags & 0xf;

	if (record->pointer < (is_route ? 4 : 5))
		return false;
	if (record->pointer <= option->length)
		return record->pointer + (has_address_and_time(option->kind, flag) ? 7 : 3) <= option->length;
	return is_route || flag == TIMESTAMP_OF_ADDRESS || record->flags >> 4 < 15;
}

static __always_inline bool is_sound_four(void *ctx, bool is_xdp, __u32 at, const struct ip_option_head *option)
{
	struct record record;

	switch (option->kind) {
	case OPTION_LOOSE_ROUTE:
	case OPTION_STRICT_ROUTE:
		return false;
	case OPTION_ROUTER_ALERT:
		return option->length >= 4;
	case OPTION_RECORD_ROUTE:
	case OPTION_TIMESTAMP:
		return option->length >= (option->kind == OPTION_TIMESTAMP ? 4 : 3) &&
		       !load_bytes(ctx, is_xdp, at + sizeof(*option), &record, sizeof(record)) &&
		       is_sound_record(option, &record);
	default:
		return true;
	}
}

/* What options are, seen together. */
enum options {
	OPTIONS_NOT_FORWARDABLE,
	OPTIONS_FORWARDABLE,
	OPTIONS_TELLING, /* likewise, and one of them says who a client is */
};

static __always_inline enum options judge_options(void *ctx, bool is_xdp, enum family family, __u32 at, __u32 length)
{
	enum options found = OPTIONS_FORWARDABLE;
	__u32 end = at + length;

	for (int i = 0; i < OPTIONS_MOST; i++) {
		struct ip_option_head option = {};
		__u32 size;

		if (at >= end)
			return at == end ? found : OPTIONS_NOT_FORWARDABLE;
		if (load_bytes(ctx, is_xdp, at, &option.kind, sizeof(option.kind)))
			return OPTIONS_NOT_FORWARDABLE;
		if (option.kind == OPTION_END && family == FAMILY_4)
			return found;
		if (option.kind == (family == FAMILY_4 ? OPTION_NONE : OPTION_END)) {
			at++;
			continue;
		}
		if (at + sizeof(option) > end || load_bytes(ctx, is_xdp, at, &option, sizeof(option)))
			return OPTIONS_NOT_FORWARDABLE;
		size = family == FAMILY_4 ? option.length : option.length + sizeof(option);
		if (size < sizeof(option))
			return OPTIONS_NOT_FORWARDABLE;
		if (family == FAMILY_4 ? !is_sound_four(ctx, is_xdp, at, &option)
				       : option.kind & OPTION_SIX_MUST_BE_KNOWN)
			return OPTIONS_NOT_FORWARDABLE;
		if (family == FAMILY_4 && option.kind == OPTION_UOA)
			found = OPTIONS_TELLING;
		at += size;
	}
	return at == end ? found : OPTIONS_NOT_FORWARDABLE;
}

/* Functions of their own, so that the verifier goes through them once. */
__noinline int judge_options_xdp(struct xdp_md *ctx, __u32 family, __u32 at, __u32 length)
{
	return family == FAMILY_4 ? judge_options(ctx, true, FAMILY_4, at, length)
				  : judge_options(ctx, true, FAMILY_6, at, length);
}

__noinline int judge_options_tc(struct __sk_buff *skb, __u32 family, __u32 at, __u32 length)
{
	return family == FAMILY_4 ? judge_options(skb, false, FAMILY_4, at, length)
				  : judge_options(skb, false, FAMILY_6, at, length);
}

static __always_inline enum options options_of(void *ctx, bool is_xdp, enum family family, __u32 at, __u32 length)
{
	return is_xdp ? judge_options_xdp(ctx, family, at, length) : judge_options_tc(ctx, family, at, length);
}
