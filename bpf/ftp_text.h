/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What FTP's two ends tell each other about data connections (ip_vs_ftp_get_addrport):
 *
 *   227 Entering Passive Mode (10,1,0,1,200,13)    PORT 10,0,0,1,19,137
 *   229 Entering Extended Passive Mode (|||1026|)  EPRT |1|10.0.0.1|5001|, EPRT |2|2001:db8::1|5001|
 *
 * Byte by byte, in memory that the verifier does not follow.
 */
#pragma once

#include "parse.h"

#define TEXT_MOST 512 /* bytes of a line, and a power of 2 */
#define REPLACEMENT_MOST 32 /* "255,255,255,255,255,255", and a power of 2 */

enum ftp_state {
	FTP_SKIP, /* before the bracket or blank in front */
	FTP_SKIPPED, /* behind it */
	FTP_NUMBERS, /* with commas between */
	FTP_DELIMITED, /* behind the first delimiter */
	FTP_NO_FAMILY, /* behind the second, with nothing in between */
	FTP_FAMILY,
	FTP_ADDRESS,
	FTP_PORT,
	FTP_DONE,
	FTP_REFUSED,
};

/* One line, and what is made of it. In a map, for the stack. */
struct ftp_text {
	__u32 state; /* enum ftp_state */
	__u32 family; /* of the control connection */
	__u32 is_reply; /* of the server */
	__u32 is_extended; /* 229, EPRT */
	__u32 delimiter;
	__u32 start; /* where in the line its numbers are, */
	__u32 end; /* and where they are over */
	__u32 part; /* which number this is */
	__u32 value; /* of it, so far */
	__u32 digits;
	__u32 gap; /* IPv6: the part before which "::" stands, and 1 */
	__u32 port; /* answer */
	__u8 number[8]; /* answer: the address, IPv4 */
	__be16 group[8]; /* answer: IPv6 */
	__u32 length; /* of the line */
	__u32 replacement_length;
	__u32 is_changed;
	__u8 replacement[REPLACEMENT_MOST];
	__u8 old[TEXT_MOST + 4];
	__u8 new[TEXT_MOST + REPLACEMENT_MOST + 4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ftp_text);
} ftp_texts SEC(".maps");

static __always_inline struct ftp_text *current_text(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ftp_texts, &zero);
}

static __always_inline bool is_digit(__u8 byte)
{
	return byte >= '0' && byte <= '9';
}

static __always_inline __u32 begin_part(struct ftp_text *text, __u32 state)
{
	text->value = 0;
	text->digits = 0;
	return state;
}

/* 10,1,0,1,200,13 */
static __always_inline __u32 in_numbers(struct ftp_text *text, __u32 index, __u8 byte)
{
	if (is_digit(byte)) {
		text->value = text->value * 10 + byte - '0';
		text->number[text->part & 7] = text->value;
		return text->value > 255 ? FTP_REFUSED : FTP_NUMBERS;
	}
	if (byte == ',' && text->part < 5) {
		text->part++;
		text->number[text->part & 7] = 0;
		return begin_part(text, FTP_NUMBERS);
	}
	if (text->part != 5)
		return FTP_REFUSED;
	text->port = text->number[4] << 8 | text->number[5];
	text->end = index;
	return text->port ? FTP_DONE : FTP_REFUSED;
}

static __always_inline __u32 in_port(struct ftp_text *text, __u32 index, __u8 byte)
{
	if (is_digit(byte)) {
		text->value = text->value * 10 + byte - '0';
		return text->value > 65535 ? FTP_REFUSED : FTP_PORT;
	}
	text->port = text->value;
	text->end = index + 1;
	return text->port && byte == text->delimiter ? FTP_DONE : FTP_REFUSED;
}

static __always_inline __u32 in_address_four(struct ftp_text *text, __u8 byte)
{
	bool is_last = byte == text->delimiter && text->part == 3;

	if (is_digit(byte)) {
		text->value = text->value * 10 + byte - '0';
		text->digits++;
		text->number[text->part & 7] = text->value;
		return text->value > 255 ? FTP_REFUSED : FTP_ADDRESS;
	}
	if (!text->digits || (!is_last && (byte != '.' || text->part == 3)))
		return FTP_REFUSED;
	text->part++;
	return begin_part(text, is_last ? FTP_PORT : FTP_ADDRESS);
}

/* All groups are there; those behind "::" move to the end. */
static __always_inline __u32 end_address_six(struct ftp_text *text)
{
	__u32 gap = text->gap - 1, missing = 8 - text->part;

	if (!text->gap)
		return text->part == 8 ? FTP_PORT : FTP_REFUSED;
	for (int i = 7; i >= 0; i--) {
		__be16 group = i >= gap + missing ? text->group[(i - missing) & 7] : 0;

		if (i >= gap)
			text->group[i] = group;
	}
	return FTP_PORT;
}

static __always_inline __u32 hex_value(__u8 byte)
{
	__u8 lower = byte | 0x20;

	return is_digit(byte) ? byte - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

static __always_inline __u32 in_address_six(struct ftp_text *text, __u8 byte)
{
	__u32 hex = hex_value(byte);

	if (hex < 16) {
		text->value = text->value << 4 | hex;
		return ++text->digits > 4 || text->part > 7 ? FTP_REFUSED : FTP_ADDRESS;
	}
	if (byte != ':' && byte != text->delimiter)
		return FTP_REFUSED;
	if (text->digits) {
		text->group[text->part & 7] = bpf_htons(text->value);
		text->part++;
	} else if (byte == ':') {
		/* The second of two; the first of a text that begins with them is told by there being no part yet. */
		if (text->gap && text->gap != text->part + 1)
			return FTP_REFUSED;
		text->gap = text->part + 1;
	}
	return begin_part(text, byte == ':' ? FTP_ADDRESS : end_address_six(text));
}

/* The first byte behind the bracket or blank. */
static __always_inline __u32 at_first(struct ftp_text *text, __u32 index, __u8 byte)
{
	text->start = index;
	if (!text->is_extended)
		return in_numbers(text, index, byte);
	text->delimiter = byte;
	return byte > ' ' && byte < 127 ? FTP_DELIMITED : FTP_REFUSED;
}

static __always_inline __u32 after_text_byte(struct ftp_text *text, __u32 index, __u8 byte)
{
	__u8 skip = text->is_reply ? '(' : ' ';

	switch (text->state) {
	case FTP_SKIP:
		if (!text->is_extended && is_digit(byte))
			return at_first(text, index, byte);
		return byte == skip ? FTP_SKIPPED : FTP_SKIP;
	case FTP_SKIPPED:
		return byte == skip ? FTP_SKIPPED : at_first(text, index, byte);
	case FTP_NUMBERS:
		return in_numbers(text, index, byte);
	case FTP_DELIMITED:
		if (byte == text->delimiter)
			return text->is_reply ? FTP_NO_FAMILY : FTP_REFUSED;
		return byte == (text->family == FAMILY_4 ? '1' : '2') ? FTP_FAMILY : FTP_REFUSED;
	case FTP_NO_FAMILY:
		return byte == text->delimiter ? FTP_PORT : FTP_REFUSED;
	case FTP_FAMILY:
		return byte == text->delimiter ? FTP_ADDRESS : FTP_REFUSED;
	case FTP_ADDRESS:
		return text->family == FAMILY_4 ? in_address_four(text, byte) : in_address_six(text, byte);
	default:
		return in_port(text, index, byte);
	}
}

struct ftp_step {
	struct ftp_text *text;
};

static long text_step(__u32 index, void *context)
{
	struct ftp_text *text = ((struct ftp_step *)context)->text;

	index += 4;
	text->state = after_text_byte(text, index, text->old[index & (TEXT_MOST - 1)]);
	return text->state >= FTP_DONE;
}

static __always_inline __u32 word_of(char a, char b, char c, char d)
{
	return a | b << 8 | c << 16 | (__u32)d << 24;
}

/* Which of the four it is. */
static __always_inline bool is_of_interest(struct ftp_text *text)
{
	__u32 word = *(__u32 *)text->old, lower = word | 0x20202020;

	if (text->is_reply) {
		text->is_extended = word == word_of('2', '2', '9', ' ');
		return text->is_extended || (word == word_of('2', '2', '7', ' ') && text->family == FAMILY_4);
	}
	text->is_extended = lower == word_of('e', 'p', 'r', 't');
	return text->is_extended || (lower == word_of('p', 'o', 'r', 't') && text->family == FAMILY_4);
}

/* 1: the line in `old` tells of a data connection. A function of its own, for the verifier. */
__noinline int read_text(__u32 family, __u32 is_reply, __u32 length)
{
	struct ftp_text *text = current_text();
	struct ftp_step step = {.text = text};

	if (!text || length < 4 || length > TEXT_MOST)
		return 0;
	text->family = family;
	text->is_reply = is_reply;
	text->length = length;
	if (!is_of_interest(text))
		return 0;
	text->part = 0;
	text->gap = 0;
	text->number[0] = 0;
	text->state = begin_part(text, FTP_SKIP);
	bpf_loop(length - 4, text_step, &step, 0);
	return text->state == FTP_DONE;
}

static __always_inline void put_byte(struct ftp_text *text, __u8 byte)
{
	text->replacement[text->replacement_length++ & (REPLACEMENT_MOST - 1)] = byte;
}

static __always_inline void put_number(struct ftp_text *text, __u32 number)
{
	bool has_begun = false;

	for (__u32 unit = 10000; unit; unit /= 10) {
		has_begun |= number >= unit || unit == 1;
		if (has_begun)
			put_byte(text, '0' + number / unit % 10);
	}
}

static long copy_step(__u32 index, void *context)
{
	struct ftp_text *text = ((struct ftp_step *)context)->text;
	__u32 place = index - text->start;
	__u8 byte;

	if (index < text->start)
		byte = text->old[index & (TEXT_MOST - 1)];
	else if (place < text->replacement_length)
		byte = text->replacement[place & (REPLACEMENT_MOST - 1)];
	else
		byte = text->old[(text->end + place - text->replacement_length) & (TEXT_MOST - 1)];
	if (index < sizeof(text->new))
		text->new[index] = byte;
	if (byte != text->old[index & (TEXT_MOST - 1)])
		text->is_changed = 1;
	return 0;
}

/* The line as the client shall read it, into `new`; answers its length. `vip`: IPv4. */
__noinline int make_text(__u32 vip)
{
	struct ftp_text *text = current_text();
	struct ftp_step step = {.text = text};
	__u32 length;

	if (!text || text->end < text->start || text->end > text->length)
		return 0;
	text->replacement_length = 0;
	if (text->is_extended) {
		put_byte(text, '|');
		put_byte(text, '|');
		put_byte(text, '|');
		put_number(text, text->port);
		put_byte(text, '|');
	} else {
		for (int i = 0; i < 4; i++) {
			put_number(text, vip >> i * 8 & 0xff);
			put_byte(text, ',');
		}
		put_number(text, text->port >> 8);
		put_byte(text, ',');
		put_number(text, text->port & 0xff);
	}
	length = text->length - (text->end - text->start) + text->replacement_length;
	if (length > TEXT_MOST)
		return 0;
	text->is_changed = length != text->length;
	bpf_loop(length, copy_step, &step, 0);
	return length;
}
