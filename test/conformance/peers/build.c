// SPDX-License-Identifier: MIT
// Makes frames from words: `ip 10.0.0.1 > 10.0.0.100 ttl 64 tcp 1025 > 80 S seq 1000 data hello`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

/** What a frame has unless its words say otherwise. */
#define TTL 64
#define WINDOW 1000
#define SEQUENCE 1000

static const char letters[] = "FSRPAU";

/** What the layers above need of the one below. */
struct below {
	struct address source, destination;
};

static void build_network(struct words *words, struct frame *frame);
static void build_transport(struct words *words, struct frame *frame, const struct below *below, int *protocol);

static void put8(struct frame *frame, unsigned long value)
{
	if (frame->length < MAX_FRAME)
		frame->bytes[frame->length++] = (uint8_t)value;
}

static void put16(struct frame *frame, unsigned long value)
{
	put8(frame, value >> 8);
	put8(frame, value);
}

static void put32(struct frame *frame, unsigned long value)
{
	put16(frame, value >> 16);
	put16(frame, value);
}

static void put_bytes(struct frame *frame, const void *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		put8(frame, ((const uint8_t *)bytes)[i]);
}

static void set16(struct frame *frame, size_t at, unsigned long value)
{
	frame->bytes[at] = (uint8_t)(value >> 8);
	frame->bytes[at + 1] = (uint8_t)value;
}

const char *flag_letters(int flags)
{
	static char text[8];
	char *end = text;
	int i;

	for (i = 0; letters[i]; i++) {
		if (flags & 1 << i)
			*end++ = letters[i];
	}
	*end = 0;
	return *text ? text : "none";
}

int parse_flags(const char *text)
{
	int flags = 0;
	const char *found;

	if (!strcmp(text, "none"))
		return 0;
	for (; *text; text++) {
		found = strchr(letters, *text);
		if (!found)
			refuse("TCP's flags, of FSRPAU", text);
		flags |= 1 << (found - letters);
	}
	return flags;
}

static void build_payload(struct words *words, struct frame *frame)
{
	static uint8_t bytes[MAX_FRAME];
	unsigned long size, i;
	const char *text;

	while (peek(words)) {
		if (given(words, "data")) {
			text = take(words, "text");
			put_bytes(frame, text, strlen(text));
		} else if (given(words, "hex")) {
			size = parse_hex(take(words, "hexadecimal digits"), bytes, sizeof(bytes));
			put_bytes(frame, bytes, size);
		} else if (given(words, "size")) {
			size = take_number(words, "a size");
			for (i = 0; i < size; i++)
				put8(frame, 'a' + i % 26);
		} else if (given(words, "quote")) {
			build_network(words, frame);
		} else {
			return;
		}
	}
}

static void build_tcp(struct words *words, struct frame *frame, const struct below *below)
{
	size_t start = frame->length, header;
	unsigned long sequence = SEQUENCE, acknowledged = 0, window = WINDOW;
	uint8_t options[40];
	size_t option_bytes = 0;
	bool is_bad = false;
	int flags;

	put16(frame, take_number(words, "a port"));
	given(words, ">");
	put16(frame, take_number(words, "a port"));
	flags = parse_flags(take(words, "flags"));
	for (;;) {
		if (given(words, "seq"))
			sequence = take_number(words, "a number");
		else if (given(words, "ack"))
			acknowledged = take_number(words, "a number");
		else if (given(words, "win"))
			window = take_number(words, "a number");
		else if (given(words, "opt"))
			option_bytes = parse_hex(take(words, "options"), options, sizeof(options)) & ~3UL;
		else if (given(words, "badsum"))
			is_bad = true;
		else
			break;
	}
	header = 20 + option_bytes;
	put32(frame, sequence);
	put32(frame, acknowledged);
	put8(frame, header / 4 << 4);
	put8(frame, (unsigned long)flags);
	put16(frame, window);
	put32(frame, 0);
	put_bytes(frame, options, option_bytes);
	build_payload(words, frame);
	set16(frame, start + 16,
	      fold(add_words(pseudo_header(&below->source, &below->destination, TCP, frame->length - start),
			     frame->bytes + start, frame->length - start)) +
		      is_bad);
}

static void build_udp(struct words *words, struct frame *frame, const struct below *below)
{
	size_t start = frame->length, length;
	bool is_bad = false, is_without = false;
	unsigned long claimed = 0;
	uint16_t sum;

	put16(frame, take_number(words, "a port"));
	given(words, ">");
	put16(frame, take_number(words, "a port"));
	for (;;) {
		if (given(words, "nosum"))
			is_without = true;
		else if (given(words, "badsum"))
			is_bad = true;
		else if (given(words, "len"))
			claimed = take_number(words, "a length");
		else
			break;
	}
	put32(frame, 0);
	build_payload(words, frame);
	length = frame->length - start;
	set16(frame, start + 4, claimed ? claimed : length);
	if (is_without)
		return;
	sum = fold(add_words(pseudo_header(&below->source, &below->destination, UDP, length), frame->bytes + start,
			     length));
	set16(frame, start + 6, (uint16_t)((sum ? sum : 0xffff) + is_bad));
}

static const char *const chunks[] = {"data",	      "init",	    "init-ack", "sack",		"heartbeat",
				     "heartbeat-ack", "abort",	    "shutdown", "shutdown-ack", "error",
				     "cookie-echo",   "cookie-ack", "ecne",	"cwr",		"shutdown-complete"};

static void build_sctp(struct words *words, struct frame *frame)
{
	size_t start = frame->length;
	unsigned int type;
	uint32_t sum;
	bool is_bad = false;

	put16(frame, take_number(words, "a port"));
	given(words, ">");
	put16(frame, take_number(words, "a port"));
	put32(frame, take_number(words, "a tag"));
	put32(frame, 0);
	while (peek(words)) {
		for (type = 0; type < sizeof(chunks) / sizeof(*chunks) && !given(words, chunks[type]);)
			type++;
		if (type == sizeof(chunks) / sizeof(*chunks))
			break;
		put8(frame, type);
		put8(frame, 0);
		put16(frame, type == 1 || type == 2 ? 20 : 8);
		put32(frame, 0x01020304);
		if (type == 1 || type == 2) { // the window, streams, first number
			put32(frame, 65536);
			put32(frame, 0x000a000a);
			put32(frame, 1);
		}
	}
	is_bad = given(words, "badsum");
	sum = crc32c(frame->bytes + start, frame->length - start) + is_bad;
	memcpy(frame->bytes + start + 8, &sum, 4);
}

static void build_icmp(struct words *words, struct frame *frame, const struct below *below, int protocol)
{
	size_t start = frame->length;
	unsigned long rest = 0;
	bool is_bad = false;
	uint32_t sum = 0;

	put8(frame, take_number(words, "a type"));
	put8(frame, take_number(words, "a code"));
	for (;;) {
		if (given(words, "rest"))
			rest = take_number(words, "a number");
		else if (given(words, "badsum"))
			is_bad = true;
		else
			break;
	}
	put16(frame, 0);
	put32(frame, rest);
	build_payload(words, frame);
	if (protocol == ICMP6)
		sum = pseudo_header(&below->source, &below->destination, ICMP6, frame->length - start);
	set16(frame, start + 2, fold(add_words(sum, frame->bytes + start, frame->length - start)) + is_bad);
}

/** After an extension header or ICMP's quote the same words come again. */
static void build_transport(struct words *words, struct frame *frame, const struct below *below, int *protocol)
{
	static const struct {
		const char *name;
		int protocol;
	} known[] = {{"tcp", TCP}, {"udp", UDP}, {"sctp", SCTP}, {"icmp", ICMP}, {"icmp6", ICMP6},
		     {"esp", ESP}, {"ah", AH},	 {"ip", IPIP},	 {"ip6", IPV6}};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!peek(words) || strcmp(peek(words), known[i].name))
			continue;
		*protocol = known[i].protocol;
		if (*protocol != IPIP && *protocol != IPV6)
			take(words, "a protocol");
		break;
	}
	if (*protocol == TCP) {
		build_tcp(words, frame, below);
	} else if (*protocol == UDP) {
		build_udp(words, frame, below);
	} else if (*protocol == SCTP) {
		build_sctp(words, frame);
	} else if (*protocol == ICMP || *protocol == ICMP6) {
		build_icmp(words, frame, below, *protocol);
	} else if (*protocol == IPIP || *protocol == IPV6) {
		build_network(words, frame);
	} else if (*protocol == ESP) {
		put32(frame, take_number(words, "a security association"));
		put32(frame, take_number(words, "a sequence number"));
	} else if (*protocol == AH) {
		put8(frame, take_number(words, "a protocol"));
		put8(frame, 4);
		put16(frame, 0);
		put32(frame, take_number(words, "a security association"));
		put32(frame, take_number(words, "a sequence number"));
		put_bytes(frame, "authenticated", 12);
	}
	build_payload(words, frame);
}

static void build_ip(struct words *words, struct frame *frame)
{
	static unsigned long next_id = 0x1000;
	size_t start = frame->length, options = 0;
	unsigned long tos = 0, ttl = TTL, id = next_id++, fragment = 0, claimed = 0, header = 0;
	uint8_t option[40];
	struct below below;
	int protocol = 255;
	bool is_bad = false;

	below.source = take_address(words);
	given(words, ">");
	below.destination = take_address(words);
	for (;;) {
		if (given(words, "ttl"))
			ttl = take_number(words, "a number");
		else if (given(words, "tos"))
			tos = take_number(words, "a number");
		else if (given(words, "id"))
			id = take_number(words, "a number");
		else if (given(words, "df"))
			fragment |= 0x4000;
		else if (given(words, "mf"))
			fragment |= 0x2000;
		else if (given(words, "off"))
			fragment |= take_number(words, "an offset") / 8;
		else if (given(words, "opt"))
			options = parse_hex(take(words, "options"), option, sizeof(option)) & ~3UL;
		else if (given(words, "len"))
			claimed = take_number(words, "a length");
		else if (given(words, "ihl"))
			header = take_number(words, "a length");
		else if (given(words, "proto"))
			protocol = (int)take_number(words, "a protocol");
		else if (given(words, "badsum"))
			is_bad = true;
		else
			break;
	}
	put8(frame, 0x40 | (header ? header : (20 + options) / 4));
	put8(frame, tos);
	put16(frame, 0);
	put16(frame, id);
	put16(frame, fragment);
	put8(frame, ttl);
	put8(frame, 0);
	put16(frame, 0);
	put_bytes(frame, below.source.bytes, 4);
	put_bytes(frame, below.destination.bytes, 4);
	put_bytes(frame, option, options);
	build_transport(words, frame, &below, &protocol);
	frame->bytes[start + 9] = (uint8_t)protocol;
	remember_id((uint8_t)protocol, (uint16_t)id);
	set16(frame, start + 2, claimed ? claimed : frame->length - start);
	set16(frame, start + 10, fold(add_words(0, frame->bytes + start, 20 + options)) + is_bad);
}

/** `header 0 000104...` puts an extension header of that number there, whose first byte will name the next. */
static void build_ip6(struct words *words, struct frame *frame)
{
	size_t start = frame->length, names_next = start + 6, length;
	unsigned long traffic_class = 0, label = 0, hops = TTL, number, offset, claimed = 0;
	uint8_t bytes[256];
	struct below below;
	int protocol = 59;

	below.source = take_address(words);
	given(words, ">");
	below.destination = take_address(words);
	put_bytes(frame, "\x60\0\0\0\0\0\0", 8);
	put_bytes(frame, below.source.bytes, 16);
	put_bytes(frame, below.destination.bytes, 16);
	for (;;) {
		if (given(words, "hlim")) {
			hops = take_number(words, "a number");
		} else if (given(words, "tc")) {
			traffic_class = take_number(words, "a number");
		} else if (given(words, "flow")) {
			label = take_number(words, "a number");
		} else if (given(words, "len")) {
			claimed = take_number(words, "a length");
		} else if (given(words, "proto")) {
			protocol = (int)take_number(words, "a protocol");
		} else if (given(words, "header")) {
			frame->bytes[names_next] = (uint8_t)take_number(words, "a header's number");
			names_next = frame->length;
			length = parse_hex(take(words, "a header"), bytes, sizeof(bytes));
			put_bytes(frame, bytes, length);
		} else if (given(words, "frag")) {
			offset = take_number(words, "an offset");
			number = take_number(words, "an identification");
			frame->bytes[names_next] = 44;
			names_next = frame->length;
			put16(frame, 0);
			put16(frame, offset | (given(words, "mf") ? 1 : 0));
			put32(frame, number);
		} else {
			break;
		}
	}
	build_transport(words, frame, &below, &protocol);
	frame->bytes[names_next] = (uint8_t)protocol;
	frame->bytes[start] = (uint8_t)(0x60 | traffic_class >> 4);
	frame->bytes[start + 1] = (uint8_t)((traffic_class & 15) << 4 | label >> 16);
	set16(frame, start + 2, label);
	set16(frame, start + 4, claimed ? claimed : frame->length - start - 40);
	frame->bytes[start + 7] = (uint8_t)hops;
}

static void build_network(struct words *words, struct frame *frame)
{
	if (given(words, "ip"))
		build_ip(words, frame);
	else if (given(words, "ip6"))
		build_ip6(words, frame);
	else
		refuse("ip or ip6", peek(words));
}

size_t begin(struct frame *frame, int sender, int family)
{
	memcpy(frame->bytes, director_mac(sender), 6);
	memcpy(frame->bytes + 6, mac_of(sender), 6);
	frame->length = 12;
	put16(frame, family == 4 ? 0x0800 : 0x86dd);
	return frame->length;
}

void build(struct words *words, int sender, struct frame *frame)
{
	unsigned long tag;

	begin(frame, sender, 4);
	frame->length = 12;
	while (given(words, "vlan")) {
		tag = take_number(words, "a tag");
		put16(frame, 0x8100);
		put16(frame, tag);
	}
	put16(frame, peek(words) && !strcmp(peek(words), "ip6") ? 0x86dd : 0x0800);
	build_network(words, frame);
	if (given(words, "cut"))
		frame->length = take_number(words, "a length") + 14;
	if (peek(words))
		refuse("the end", peek(words));
}

/** A frame of a connection, as its words would make it. */
void build_segment(struct frame *frame, int sender, int protocol, const struct address *source, uint16_t source_port,
		   const struct address *destination, uint16_t destination_port, int flags, const char *data)
{
	char text[512], *word;
	struct words words = {0};
	int length = snprintf(text, sizeof(text), "%s %s", source->family == 4 ? "ip" : "ip6", address_text(source));

	length += snprintf(text + length, sizeof(text) - (size_t)length, " > %s ", address_text(destination));
	if (protocol == SCTP)
		snprintf(text + length, sizeof(text) - (size_t)length, "sctp %u > %u 1 %s", source_port,
			 destination_port, chunks[flags]);
	else
		snprintf(text + length, sizeof(text) - (size_t)length, "%s %u > %u %s%s%s",
			 protocol == TCP ? "tcp" : "udp", source_port, destination_port,
			 protocol == TCP ? flag_letters(flags) : "", *data ? " data " : "", data);
	for (word = strtok(text, " "); word && words.count < MAX_WORDS; word = strtok(NULL, " "))
		words.word[words.count++] = word;
	build(&words, sender, frame);
}
