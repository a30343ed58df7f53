/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The Call-ID of a SIP message, as ip_vs_pe_sip.c finds it by ct_sip_get_header: the first header of that name, or of its short
 * form "i", on a line of its own. Byte by byte, so that the verifier passes one step.
 */
#pragma once

#include "template.h"

#define MESSAGE_MOST 4096 /* what is read of one, a power of 2: more than a frame that is not a jumbo one has */

enum sip_state {
	SIP_LINE, /* in a line that is of no interest */
	SIP_RETURN, /* behind a CR */
	SIP_START, /* at a line's first byte */
	SIP_NAME, /* `matched` bytes of "Call-ID" came */
	SIP_SHORT, /* behind "i" */
	SIP_BLANK, /* before the colon or, with `has_colon`, before the value */
	SIP_FOLD_RETURN, /* there, behind a CR */
	SIP_FOLD, /* there, at the first byte of the next line, which must go on with this one */
	SIP_FOLDED, /* there, in the next line */
	SIP_WORD,
	SIP_DOMAIN, /* behind "@" */
	SIP_FOUND,
	SIP_REFUSED,
};

struct sip_scan {
	__u32 state; /* enum sip_state */
	__u32 from; /* where lines count from: behind what looked like the header, and was none */
	__u32 value; /* where the value starts */
	__u32 matched;
	__u32 domain; /* how much of the Call-ID is there behind "@" */
	__u32 has_colon;
	__u8 bytes[MESSAGE_MOST];
};

/* In a map, for the stack, and for the verifier, which would follow each value. One for each hook. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HOOK_TRACE + 1);
	__type(key, __u32);
	__type(value, struct sip_scan);
} sip_scans SEC(".maps");

static __always_inline __u8 in_lower_case(__u8 byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* isalpha of the kernel, which reads Latin-1. */
static __always_inline bool is_letter(__u8 byte)
{
	__u8 lower = byte | 0x20;

	return (lower >= 'a' && lower <= 'z') || (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7);
}

/* What a word consists of (RFC 3261, 25.1): bits for the bytes below 64, and for those from there to 127. */
static __always_inline bool is_of_word(__u8 byte)
{
	static const __u64 low = 1ULL << '!' | 1ULL << '"' | 1ULL << '%' | 1ULL << '\'' | 0xfULL << '(' | 7ULL << '-' |
				 0x3ffULL << '0' | 1ULL << ':' | 1ULL << '<' | 1ULL << '>' | 1ULL << '?';
	static const __u64 high = 7ULL << ('[' - 64) | 3ULL << ('_' - 64) | 1ULL << ('{' - 64) | 3ULL << ('}' - 64);

	return is_letter(byte) || (byte < 64 ? low >> byte & 1 : byte < 128 && high >> (byte & 63) & 1);
}

static __always_inline bool is_blank(__u8 byte)
{
	return byte == ' ' || byte == '\t';
}

static __always_inline __u32 after_name(struct sip_scan *scan)
{
	scan->has_colon = 0;
	return SIP_BLANK;
}

static __always_inline __u32 in_line(const struct sip_scan *scan, __u32 index, __u8 byte)
{
	if (index < scan->from)
		return SIP_LINE;
	return byte == '\r' ? SIP_RETURN : byte == '\n' ? SIP_START : SIP_LINE;
}

/* It was none: the search goes on, behind where its value started. */
static __always_inline __u32 is_none_after_all(struct sip_scan *scan, __u32 index, __u8 byte)
{
	scan->from += scan->value;
	return in_line(scan, index, byte);
}

static __always_inline __u32 in_value(struct sip_scan *scan, struct call_id *id, __u32 index, __u8 byte)
{
	bool is_at = byte == '@' && scan->state == SIP_WORD && id->length;

	if (is_at || is_of_word(byte)) {
		if (id->length == CALL_ID_MOST)
			return SIP_REFUSED;
		scan->domain += scan->state == SIP_DOMAIN;
		id->text[id->length & CALL_ID_MOST] = byte;
		id->length++;
		return is_at ? SIP_DOMAIN : scan->state;
	}
	if (!id->length || (scan->state == SIP_DOMAIN && !scan->domain))
		return is_none_after_all(scan, index, byte);
	return byte == '\r' || byte == '\n' ? SIP_FOUND : SIP_REFUSED;
}

/* The first byte that is no blank: before the colon, or before the value. */
static __always_inline __u32 after_blank(struct sip_scan *scan, struct call_id *id, __u32 index, __u8 byte)
{
	if (!scan->has_colon) {
		scan->has_colon = 1;
		return byte == ':' ? SIP_BLANK : SIP_REFUSED;
	}
	scan->state = SIP_WORD;
	scan->value = index;
	scan->domain = 0;
	id->length = 0;
	return in_value(scan, id, index, byte);
}

static __always_inline __u32 at_start(struct sip_scan *scan, __u8 byte)
{
	scan->matched = 1;
	byte = in_lower_case(byte);
	return byte == 'c' ? SIP_NAME : byte == 'i' ? SIP_SHORT : SIP_LINE;
}

static __always_inline __u32 in_name(struct sip_scan *scan, __u32 index, __u8 byte)
{
	static const __u64 name =
		'c' | 'a' << 8 | 'l' << 16 | (__u64)'l' << 24 | (__u64)'-' << 32 | (__u64)'i' << 40 | (__u64)'d' << 48;

	if (in_lower_case(byte) != (__u8)(name >> (scan->matched & 7) * 8))
		return in_line(scan, index, byte);
	return ++scan->matched == 7 ? after_name(scan) : SIP_NAME;
}

static __always_inline __u32 after_byte(struct sip_scan *scan, struct call_id *id, __u32 index, __u8 byte)
{
	switch (scan->state) {
	case SIP_LINE:
		return in_line(scan, index, byte);
	case SIP_RETURN:
		return byte == '\n' ? SIP_START : at_start(scan, byte);
	case SIP_START:
		return at_start(scan, byte);
	case SIP_NAME:
		return in_name(scan, index, byte);
	case SIP_SHORT:
		if (is_letter(byte))
			return SIP_LINE;
		scan->has_colon = 0;
		break;
	case SIP_FOLD_RETURN:
		if (byte == '\n')
			return SIP_FOLD;
		return is_blank(byte) ? SIP_FOLDED : SIP_REFUSED;
	case SIP_FOLD:
		return is_blank(byte) ? SIP_FOLDED : SIP_REFUSED;
	case SIP_FOLDED:
		if (is_blank(byte))
			return SIP_FOLDED;
		break;
	case SIP_BLANK:
		break;
	default:
		return in_value(scan, id, index, byte);
	}
	if (scan->state != SIP_FOLDED) {
		if (is_blank(byte))
			return SIP_BLANK;
		if (byte == '\r' || byte == '\n')
			return byte == '\r' ? SIP_FOLD_RETURN : SIP_FOLD;
	}
	return after_blank(scan, id, index, byte);
}

struct sip_step {
	struct sip_scan *scan;
	struct call_id *id;
};

static long sip_step(__u32 index, void *context)
{
	struct sip_step *step = context;
	struct sip_scan *scan = step->scan;

	scan->state = after_byte(scan, step->id, index, scan->bytes[index & (MESSAGE_MOST - 1)]);
	return scan->state >= SIP_FOUND;
}

/* Reads `length` bytes, which are in the scan, for a Call-ID into the opening. */
static __always_inline int scan_message(struct sip_scan *scan, struct opening *opening, __u32 length)
{
	struct sip_step step = {.scan = scan, .id = &opening->call_id};

	__builtin_memset(&opening->call_id, 0, sizeof(opening->call_id));
	scan->state = SIP_LINE;
	scan->from = 0;
	bpf_loop(length, sip_step, &step, 0);
	return scan->state == SIP_FOUND;
}

/* From 1 to MESSAGE_MOST, which the verifier sees. */
static __always_inline __u32 bytes_to_read(__u32 length)
{
	__u32 last = (length < MESSAGE_MOST ? length : MESSAGE_MOST) - 1;

	asm volatile("" : "+r"(last));
	return (last & (MESSAGE_MOST - 1)) + 1;
}

/* 1: there is one. A function for each kind of context. `offset`: of the message; `length`: of it. */
__noinline int read_call_id_xdp(struct xdp_md *ctx, __u32 hook, __u32 offset, __u32 length)
{
	struct sip_scan *scan = bpf_map_lookup_elem(&sip_scans, &hook);
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);

	if (!scan || !opening || !length)
		return 0;
	opening->hook = hook;
	length = bytes_to_read(length);
	return !bpf_xdp_load_bytes(ctx, offset, scan->bytes, length) && scan_message(scan, opening, length);
}

__noinline int read_call_id_tc(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__u32 hook = HOOK_TC;
	struct sip_scan *scan = bpf_map_lookup_elem(&sip_scans, &hook);
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);

	if (!scan || !opening || !length)
		return 0;
	opening->hook = hook;
	length = bytes_to_read(length);
	return !bpf_skb_load_bytes(skb, offset, scan->bytes, length) && scan_message(scan, opening, length);
}

/* The inner tag of two stands in the data until it is taken off. */
static __always_inline __u32 tag_in_front(struct __sk_buff *skb)
{
	void *start = packet_start(skb, HOOK_TC);

	if (start + L3 > packet_end(skb, HOOK_TC))
		return 0;
	return *(__be16 *)(start + offsetof(struct ethhdr, h_proto)) == bpf_htons(ETH_P_8021Q) ? 4 : 0;
}

/* False: the packet has none. It is then in this hook's opening. */
static __always_inline bool read_call_id(void *ctx, enum hook hook, enum family family, const struct packet *packet)
{
	__u32 offset = packet->l4 + sizeof(struct udphdr), length = packet->length + L3;

	if (packet->protocol != IPPROTO_UDP || packet->rare & RARE_PORTLESS || length <= offset)
		return false;
	length -= offset;
	if (hook == HOOK_TC)
		return read_call_id_tc(ctx, offset + tag_in_front(ctx), length);
	return read_call_id_xdp(ctx, hook, offset, length);
}
