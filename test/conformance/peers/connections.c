// SPDX-License-Identifier: MIT
// Many connections at once, both of their ends: each answered with one letter, which is the real server that has it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

#define MAX_CONNECTIONS 8192

struct connection {
	int protocol, server;
	struct address client, vip;
	uint16_t client_port, vip_port;
	/** What the real server sees, and answers to. */
	struct address seen_client, seen_vip;
	uint16_t seen_client_port, seen_vip_port;
	/** Its answers pass the director. */
	bool is_translated;
};

enum letter {
	REFUSED = 'x',
	RESET = 'R',
	SILENCE = '-',
	STRANGE = '?',
	WRONG_ANSWER = '!'
};

/** Chunks, by their numbers. */
enum chunk {
	SCTP_DATA = 0,
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_ABORT = 6,
	SCTP_COOKIE_ECHO = 10,
	SCTP_COOKIE_ACK = 11
};

static struct connection connections[MAX_CONNECTIONS];
static int connection_count;
static struct frame outgoing;

/** What SCTP has in the place of these flags of TCP: a chunk's number. UDP has nothing. */
static int said_as(const struct connection *connection, int flags)
{
	if (connection->protocol != SCTP)
		return flags;
	return flags & RST ? SCTP_ABORT : SCTP_DATA;
}

static void send_segment(const struct connection *connection, bool is_from_client, int flags, const char *data)
{
	const struct connection *c = connection;

	arrival_count = 0;
	if (is_from_client)
		build_segment(&outgoing, CLIENT, c->protocol, &c->client, c->client_port, &c->vip, c->vip_port, flags,
			      data);
	else
		build_segment(&outgoing, c->server, c->protocol, &c->seen_vip, c->seen_vip_port, &c->seen_client,
			      c->seen_client_port, flags, data);
	transmit(&outgoing, is_from_client ? CLIENT : c->server);
	settle();
}

static int letter_of(const struct facts *facts)
{
	if (facts->receiver == NOBODY)
		return STRANGE;
	if (facts->receiver != CLIENT)
		return '0' + facts->receiver;
	if (facts->protocol == ICMP || facts->protocol == ICMP6)
		return REFUSED;
	return facts->protocol == TCP && facts->flags & RST ? RESET : STRANGE;
}

/** Where what the client sent went; more than one frame is strange. */
static int where_it_went(struct facts *facts)
{
	if (arrival_count == 0)
		return SILENCE;
	read_facts(arrivals[0], facts);
	return arrival_count > 1 ? STRANGE : letter_of(facts);
}

/** An answer that passes the director comes from where the client sent to. */
static bool is_answered(const struct connection *connection, int flags, const char *data)
{
	struct facts facts;

	if (!connection->is_translated)
		return true;
	send_segment(connection, false, flags, data);
	if (arrival_count != 1)
		return false;
	read_facts(arrivals[0], &facts);
	return facts.receiver == CLIENT && facts.protocol == connection->protocol &&
	       same_address(&facts.source, &connection->vip) && same_address(&facts.destination, &connection->client) &&
	       facts.source_port == connection->vip_port && facts.destination_port == connection->client_port;
}

static int tell(const struct connection *connection, int flags, const char *data)
{
	struct facts facts;

	send_segment(connection, true, flags, data);
	return where_it_went(&facts);
}

/** The letter of a connection that was opened, or of why it was not. */
static int open_connection(struct connection *connection, bool is_answering)
{
	bool is_tcp = connection->protocol == TCP, is_sctp = connection->protocol == SCTP;
	struct facts facts;
	int letter;

	send_segment(connection, true, is_sctp ? SCTP_INIT : SYN, is_tcp ? "" : "question");
	letter = where_it_went(&facts);
	if (letter < '1' || letter > '9')
		return letter;
	connection->server = facts.receiver;
	connection->seen_client = facts.source;
	connection->seen_client_port = facts.source_port;
	connection->seen_vip = facts.destination;
	connection->seen_vip_port = facts.destination_port;
	connection->is_translated = !same_address(&facts.destination, &connection->vip);
	if (!is_answering)
		return letter;
	if (!is_answered(connection, is_sctp ? SCTP_INIT_ACK : SYN | ACK, is_tcp ? "" : "answer"))
		return WRONG_ANSWER;
	if (is_tcp && tell(connection, ACK, "") != letter)
		return WRONG_ANSWER;
	if (is_sctp &&
	    (tell(connection, SCTP_COOKIE_ECHO, "") != letter || !is_answered(connection, SCTP_COOKIE_ACK, "")))
		return WRONG_ANSWER;
	return letter;
}

/** Who begins says FIN first; both do. */
static int close_connection(const struct connection *connection, bool is_client_first)
{
	int letter;

	if (connection->protocol != TCP)
		return '0' + connection->server;
	if (!is_client_first && !is_answered(connection, FIN | ACK, ""))
		return WRONG_ANSWER;
	letter = tell(connection, FIN | ACK, "");
	if (letter < '1' || letter > '9')
		return letter;
	if (is_client_first && (!is_answered(connection, FIN | ACK, "") || tell(connection, ACK, "") != letter))
		return WRONG_ANSWER;
	return letter;
}

static void take_endpoint(struct words *words, struct address *address, uint16_t *port)
{
	*address = take_address(words);
	*port = (uint16_t)take_number(words, "a port");
}

/** open 40 tcp 10.0.0.1 20000 > 10.0.0.100 80 [addresses 20] [ports 1] [syn|short] */
void open_connections(struct words *words)
{
	unsigned long count = take_number(words, "how many"), addresses = 1, targets = 1, i;
	const char *protocol = take(words, "a protocol");
	struct connection first = {0};
	bool is_answering = true, is_short = false;
	int letter;

	first.protocol = !strcmp(protocol, "tcp") ? TCP : !strcmp(protocol, "udp") ? UDP : SCTP;
	take_endpoint(words, &first.client, &first.client_port);
	given(words, ">");
	take_endpoint(words, &first.vip, &first.vip_port);
	for (;;) {
		if (given(words, "addresses"))
			addresses = take_number(words, "how many");
		else if (given(words, "targets"))
			targets = take_number(words, "how many");
		else if (given(words, "syn"))
			is_answering = false;
		else if (given(words, "short"))
			is_short = true;
		else
			break;
	}
	for (i = 0; i < count && connection_count < MAX_CONNECTIONS; i++) {
		struct connection *connection = &connections[connection_count];

		*connection = first;
		connection->client = address_plus(first.client, i % addresses);
		connection->vip = address_plus(first.vip, i % targets);
		connection->client_port = (uint16_t)(first.client_port + i);
		letter = open_connection(connection, is_answering);
		if (is_short && letter >= '1' && letter <= '9')
			letter = close_connection(connection, true);
		else if (letter >= '1' && letter <= '9')
			connection_count++;
		putchar(letter);
	}
	putchar('\n');
}

/** `all`, `3` or `0-9`: in the order in which they were opened. */
static void select_connections(struct words *words, int *from, int *to)
{
	char *end;

	*from = 0;
	*to = connection_count - 1;
	if (given(words, "all"))
		return;
	*from = *to = (int)strtol(take(words, "which"), &end, 10);
	if (*end == '-')
		*to = (int)strtol(end + 1, NULL, 10);
	if (*to >= connection_count)
		*to = connection_count - 1;
}

static void for_each(struct words *words, int (*act)(const struct connection *connection, bool is_client),
		     bool is_client)
{
	int from, to, i;

	select_connections(words, &from, &to);
	for (i = from; i <= to; i++)
		putchar(act(&connections[i], is_client && !(peek(words) && !strcmp(peek(words), "server"))));
	given(words, "server");
	putchar('\n');
}

void close_connections(struct words *words)
{
	for_each(words, close_connection, true);
}

static int reset_connection(const struct connection *connection, bool is_client)
{
	int flags = said_as(connection, RST | ACK);

	if (is_client)
		return tell(connection, flags, "");
	return is_answered(connection, flags, "") ? '0' + connection->server : WRONG_ANSWER;
}

void reset_connections(struct words *words)
{
	for_each(words, reset_connection, true);
}

static int talk_once(const struct connection *connection, bool is_client)
{
	int flags = said_as(connection, PSH | ACK);
	int letter = is_client ? tell(connection, flags, "question") : '0' + connection->server;

	if (letter < '1' || letter > '9')
		return letter;
	return is_answered(connection, flags, "answer") ? letter : WRONG_ANSWER;
}

void talk(struct words *words)
{
	for_each(words, talk_once, true);
}

void forget_connections(void)
{
	connection_count = 0;
}
