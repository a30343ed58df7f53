// SPDX-License-Identifier: MIT
// Writes a frame as a line of text in which every bit of its headers counts, and reads what it is about.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "peers.h"

#define SHOWN 48

/** Payload of UDP to this port is GUE; 0: none is. */
uint16_t gue_port;

/** Of each protocol: a kernel's own packet may well have an identification that another's has. */
static uint8_t ids[256][65536 / 8];

struct span {
	const uint8_t *bytes;
	size_t length;
};

/** The addresses that a transport's checksum covers; is_cut when not all of the packet is here. */
struct carrier {
	struct address source, destination;
	bool is_cut, is_tunnel;
};

static void print_network(struct span span, int family);
static void print_transport(struct span span, int protocol, const struct carrier *carrier);

/** Identifications that the peers chose are shown; those that a kernel chose are not the same twice. */
void remember_id(uint8_t protocol, uint16_t id)
{
	ids[protocol][id / 8] |= (uint8_t)(1 << id % 8);
}

static unsigned int get16(const uint8_t *bytes)
{
	return (unsigned int)(bytes[0] << 8 | bytes[1]);
}

static unsigned int get32(const uint8_t *bytes)
{
	return get16(bytes) << 16 | get16(bytes + 2);
}

static struct span skip(struct span span, size_t length)
{
	if (length > span.length)
		length = span.length;
	return (struct span){span.bytes + length, span.length - length};
}

static struct address address_at(const uint8_t *bytes, int family)
{
	struct address address = {.family = family};

	memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
	return address;
}

static void print_hex(const uint8_t *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		printf("%02x", bytes[i]);
}

static uint32_t hash_of(struct span span)
{
	uint32_t hash = 2166136261U;
	size_t i;

	for (i = 0; i < span.length; i++)
		hash = (hash ^ span.bytes[i]) * 16777619U;
	return hash;
}

static void print_payload(struct span span)
{
	size_t i;

	if (span.length == 0)
		return;
	for (i = 0; i < span.length && isprint(span.bytes[i]) && span.bytes[i] != '"';)
		i++;
	if (i == span.length && span.length <= SHOWN) {
		printf(" \"%.*s\"", (int)span.length, (const char *)span.bytes);
	} else if (span.length <= SHOWN) {
		printf(" 0x");
		print_hex(span.bytes, span.length);
	} else {
		printf(" %zu bytes #%08x", span.length, hash_of(span));
	}
}

static void print_sum(unsigned int sum, bool is_right, const struct carrier *carrier)
{
	printf(" sum 0x%04x%s", sum, carrier->is_cut ? "" : is_right ? "" : " WRONG");
}

static bool is_right(struct span span, int protocol, const struct carrier *carrier)
{
	uint32_t sum = pseudo_header(&carrier->source, &carrier->destination, protocol, span.length);

	return fold(add_words(sum, span.bytes, span.length)) == 0;
}

/** What stands in a checksum (`at`) that the kernel leaves to a device, and veth to the receiver: the pseudo header's sum. */
static bool is_left_to_a_device(struct span span, int protocol, size_t at, const struct carrier *carrier)
{
	uint32_t sum = pseudo_header(&carrier->source, &carrier->destination, protocol, span.length);

	return get16(span.bytes + at) == (uint16_t)~fold(sum);
}

/** TCP's, or what a device would make of it. */
static unsigned int tcp_sum(struct span span, const struct carrier *carrier)
{
	unsigned int sum = get16(span.bytes + 16);

	return !carrier->is_cut && is_left_to_a_device(span, TCP, 16, carrier)
		       ? fold(add_words(0, span.bytes, span.length))
		       : sum;
}

static void print_tcp(struct span span, const struct carrier *carrier)
{
	unsigned int sum;
	size_t header;

	if (span.length < 20) {
		printf(" | tcp cut 0x");
		print_hex(span.bytes, span.length);
		return;
	}
	header = span.bytes[12] >> 4 << 2;
	printf(" | tcp %u > %u %s seq %u ack %u win %u", get16(span.bytes), get16(span.bytes + 2),
	       flag_letters(span.bytes[13]), get32(span.bytes + 4), get32(span.bytes + 8), get16(span.bytes + 14));
	if (span.bytes[12] & 15 || span.bytes[13] & 0xc0 || get16(span.bytes + 18))
		printf(" bits 0x%x%02x urgent %u", span.bytes[12] & 15, span.bytes[13], get16(span.bytes + 18));
	if (header > 20 && header <= span.length) {
		printf(" opt ");
		print_hex(span.bytes + 20, header - 20);
	}
	sum = tcp_sum(span, carrier);
	print_sum(sum, sum != get16(span.bytes + 16) || is_right(span, TCP, carrier), carrier);
	print_payload(skip(span, header < 20 ? 20 : header));
}

/** Generic UDP encapsulation; the source port is a hash of the flow, and a checksum with it. */
static void print_gue(struct span span, const struct carrier *carrier)
{
	unsigned int sum = get16(span.bytes + 6);
	struct span inner = skip(span, 8);
	size_t header = inner.length < 4 ? 0 : 4 + (size_t)(inner.bytes[0] & 31) * 4;
	struct carrier below = {.is_tunnel = true};

	printf(" | gue ~ > %u len %u sum %s", get16(span.bytes + 2), get16(span.bytes + 4),
	       sum == 0									    ? "0"
	       : is_right(span, UDP, carrier) || is_left_to_a_device(span, UDP, 6, carrier) ? "right"
											    : "WRONG");
	if (header == 0 || header > inner.length) {
		print_payload(inner);
		return;
	}
	printf(" 0x");
	print_hex(inner.bytes, header);
	print_transport(skip(inner, header), inner.bytes[1], &below);
}

static void print_udp(struct span span, const struct carrier *carrier)
{
	unsigned int sum;

	if (span.length < 8) {
		printf(" | udp cut 0x");
		print_hex(span.bytes, span.length);
		return;
	}
	if (gue_port && get16(span.bytes + 2) == gue_port) {
		print_gue(span, carrier);
		return;
	}
	sum = get16(span.bytes + 6);
	printf(" | udp %u > %u", get16(span.bytes), get16(span.bytes + 2));
	if (get16(span.bytes + 4) != span.length)
		printf(" len %u", get16(span.bytes + 4));
	print_sum(sum, sum == 0 || is_right(span, UDP, carrier), carrier);
	print_payload(skip(span, 8));
}

static void print_sctp(struct span span, const struct carrier *carrier)
{
	uint8_t copy[256];
	uint32_t sum, wanted;

	if (span.length < 12 || span.length > sizeof(copy)) {
		printf(" | sctp");
		print_payload(span);
		return;
	}
	memcpy(copy, span.bytes, span.length);
	memset(copy + 8, 0, 4);
	wanted = crc32c(copy, span.length);
	memcpy(&sum, span.bytes + 8, 4);
	printf(" | sctp %u > %u tag %u sum 0x%08x%s", get16(span.bytes), get16(span.bytes + 2), get32(span.bytes + 4),
	       sum, carrier->is_cut || sum == wanted ? "" : " WRONG");
	print_payload(skip(span, 12));
}

static bool quotes_a_packet(int protocol, int type)
{
	if (protocol == ICMP6)
		return type < 128;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static void print_icmp(struct span span, int protocol, const struct carrier *carrier)
{
	bool is_six = protocol == ICMP6;

	if (span.length < 8) {
		printf(" | icmp");
		print_payload(span);
		return;
	}
	printf(" | %s %u %u rest 0x%08x", is_six ? "icmp6" : "icmp", span.bytes[0], span.bytes[1],
	       get32(span.bytes + 4));
	if (!carrier->is_cut && is_six)
		printf(" sum %s", is_right(span, ICMP6, carrier) || is_left_to_a_device(span, ICMP6, 2, carrier)
					  ? "right"
					  : "WRONG");
	else if (!carrier->is_cut)
		printf(" sum %s", fold(add_words(0, span.bytes, span.length)) == 0 ? "right" : "WRONG");
	if (quotes_a_packet(protocol, span.bytes[0])) {
		printf(" quotes %zu:", span.length - 8);
		print_network(skip(span, 8), is_six ? 6 : 4);
	} else {
		print_payload(skip(span, 8));
	}
}

static void print_gre(struct span span)
{
	struct carrier below = {.is_tunnel = true};
	size_t header = 4;
	bool is_summed, is_right;

	if (span.length < 4) {
		print_payload(span);
		return;
	}
	is_summed = span.bytes[0] & 0x80;
	header += is_summed ? 4 : 0;
	printf(" | gre 0x");
	print_hex(span.bytes, 4);
	/* One that the kernel leaves to a device, and veth to the receiver, is 0. */
	is_right = get16(span.bytes + 4) == 0 || fold(add_words(0, span.bytes, span.length)) == 0;
	if (is_summed)
		printf(" sum %s offset %u", is_right ? "right" : "WRONG", get16(span.bytes + 6));
	print_transport(skip(span, header), get16(span.bytes + 2) == 0x86dd ? IPV6 : IPIP, &below);
}

static void print_transport(struct span span, int protocol, const struct carrier *carrier)
{
	if (protocol == TCP) {
		print_tcp(span, carrier);
	} else if (protocol == UDP) {
		print_udp(span, carrier);
	} else if (protocol == SCTP) {
		print_sctp(span, carrier);
	} else if (protocol == ICMP || protocol == ICMP6) {
		print_icmp(span, protocol, carrier);
	} else if (protocol == IPIP || protocol == IPV6) {
		print_network(span, protocol == IPIP ? 4 : 6);
	} else if (protocol == GRE) {
		print_gre(span);
	} else {
		printf(" | protocol %d", protocol);
		print_payload(span);
	}
}

static bool is_tunnel(struct span span, int protocol)
{
	return protocol == IPIP || protocol == IPV6 || protocol == GRE ||
	       (protocol == UDP && gue_port && span.length >= 8 && get16(span.bytes + 2) == gue_port);
}

static void print_ip(struct span span)
{
	size_t header = (span.bytes[0] & 15) * 4U, total = get16(span.bytes + 2);
	unsigned int id = get16(span.bytes + 4), fragment = get16(span.bytes + 6);
	struct carrier carrier = {.source = address_at(span.bytes + 12, 4),
				  .destination = address_at(span.bytes + 16, 4),
				  .is_cut = total > span.length || fragment & 0x3fff};
	bool is_known = ids[span.bytes[9]][id / 8] & 1 << id % 8;

	printf(" | ip %s > %s ttl %u", address_text(&carrier.source), address_text(&carrier.destination),
	       span.bytes[8]);
	if (span.bytes[1])
		printf(" tos 0x%02x", span.bytes[1]);
	if (id == 0 || (is_known && !is_tunnel(skip(span, header), span.bytes[9])))
		printf(" id %u", id);
	else
		printf(" id ~");
	printf("%s%s%s", fragment & 0x4000 ? " df" : "", fragment & 0x2000 ? " mf" : "",
	       fragment & 0x8000 ? " evil" : "");
	if (fragment & 0x1fff)
		printf(" off %u", (fragment & 0x1fff) * 8);
	printf(" len %zu", total);
	if (total > span.length)
		printf(" of which %zu", span.length);
	if (header > 20 && header <= span.length) {
		printf(" opt ");
		print_hex(span.bytes + 20, header - 20);
	}
	if (header < 20 || header > span.length) {
		printf(" ihl %zu", header);
		return;
	}
	printf("%s", fold(add_words(0, span.bytes, header)) == 0 ? "" : " sum WRONG");
	if (total < span.length)
		span.length = total < header ? header : total;
	if (fragment & 0x1fff)
		print_payload(skip(span, header));
	else
		print_transport(skip(span, header), span.bytes[9], &carrier);
}

/** Extension headers as they are, up to the transport. */
static void print_ip6(struct span span)
{
	struct carrier carrier = {.source = address_at(span.bytes + 8, 6),
				  .destination = address_at(span.bytes + 24, 6)};
	size_t length = get16(span.bytes + 4), header;
	uint8_t next = span.bytes[6];
	bool is_later = false;

	printf(" | ip6 %s > %s hlim %u", address_text(&carrier.source), address_text(&carrier.destination),
	       span.bytes[7]);
	if (get16(span.bytes) & 0xff0)
		printf(" tc 0x%02x", get16(span.bytes) >> 4 & 0xff);
	if (get32(span.bytes) & 0xfffff)
		printf(" flow 0x%05x", get32(span.bytes) & 0xfffff);
	printf(" len %zu", length);
	carrier.is_cut = length + 40 > span.length;
	if (length + 40 < span.length)
		span.length = length + 40;
	span = skip(span, 40);
	while ((next == 0 || next == 43 || next == 44 || next == 60) && span.length >= 8 && !is_later) {
		header = next == 44 ? 8 : 8 + (size_t)span.bytes[1] * 8;
		printf(" header %u ", next);
		print_hex(span.bytes, header > span.length ? span.length : header);
		if (next == 44)
			carrier.is_cut |= get16(span.bytes + 2) != 0;
		is_later = next == 44 && get16(span.bytes + 2) & 0xfff8;
		next = span.bytes[0];
		span = skip(span, header);
	}
	if (is_later)
		print_payload(span);
	else
		print_transport(span, next, &carrier);
}

static void print_network(struct span span, int family)
{
	if (family == 4 && span.length >= 20 && span.bytes[0] >> 4 == 4)
		print_ip(span);
	else if (family == 6 && span.length >= 40 && span.bytes[0] >> 4 == 6)
		print_ip6(span);
	else
		print_payload(span);
}

static const char *mac_text(const uint8_t *mac)
{
	static char text[18];
	int peer = peer_with(mac);

	if (peer != NOBODY)
		return peer_name(peer);
	if (!memcmp(mac, director_mac(CLIENT), 6))
		return "d0";
	if (!memcmp(mac, director_mac(1), 6))
		return "d1";
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

/** r1 < d1 | ip ...: who it is for, who sent it, then header by header. */
void print_frame(const struct frame *frame)
{
	struct span span = {frame->bytes, frame->length};
	unsigned int type = get16(frame->bytes + 12);

	printf("%s", mac_text(span.bytes));
	printf(" < %s", mac_text(span.bytes + 6));
	span = skip(span, 14);
	while (type == 0x8100 && span.length >= 4) {
		printf(" | vlan %u", get16(span.bytes));
		type = get16(span.bytes + 2);
		span = skip(span, 4);
	}
	if (type == 0x0800 || type == 0x86dd) {
		print_network(span, type == 0x0800 ? 4 : 6);
	} else {
		printf(" | ethertype 0x%04x", type);
		print_payload(span);
	}
	printf("\n");
}

static bool read_network(struct span span, struct facts *facts)
{
	int family = span.length ? span.bytes[0] >> 4 : 0;
	size_t header = family == 4 ? (span.bytes[0] & 15) * 4U : 40;

	if ((family != 4 && family != 6) || span.length < header)
		return false;
	facts->source = address_at(span.bytes + (family == 4 ? 12 : 8), family);
	facts->destination = address_at(span.bytes + (family == 4 ? 16 : 24), family);
	facts->protocol = span.bytes[family == 4 ? 9 : 6];
	span = skip(span, header);
	if (facts->protocol == IPIP || facts->protocol == IPV6) {
		facts->in_tunnel = true;
		return read_network(span, facts);
	}
	if (facts->protocol == GRE && span.length > 8) {
		facts->in_tunnel = true;
		return read_network(skip(span, span.bytes[0] & 0x80 ? 8 : 4), facts);
	}
	if (is_tunnel(span, facts->protocol) && span.length > 12) {
		facts->in_tunnel = true;
		return read_network(skip(span, 12 + (size_t)(span.bytes[8] & 31) * 4), facts);
	}
	if (facts->protocol == ICMP || facts->protocol == ICMP6) {
		facts->flags = span.length ? span.bytes[0] : 0;
		return true;
	}
	if (span.length < 8)
		return false;
	facts->source_port = (uint16_t)get16(span.bytes);
	facts->destination_port = (uint16_t)get16(span.bytes + 2);
	facts->flags = span.length < 14 ? 0 : span.bytes[facts->protocol == TCP ? 13 : 12];
	return true;
}

void read_facts(const struct frame *frame, struct facts *facts)
{
	*facts = (struct facts){.receiver = peer_with(frame->bytes)};
	if (!read_network((struct span){frame->bytes + 14, frame->length - 14}, facts))
		facts->protocol = 0;
}
