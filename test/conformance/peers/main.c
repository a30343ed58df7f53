// SPDX-License-Identifier: MIT
// A scenario's client and real servers: frames sent and frames that arrived, as a script says on standard input line by line.
// An answer ends with a line that has one full stop.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

static struct frame outgoing;

static void print_arrivals(void)
{
	int i;

	for (i = 0; i < arrival_count; i++)
		print_frame(arrivals[i]);
	if (arrival_count == 0)
		printf("nothing arrives\n");
}

/** Frames of several senders with `then` between them go out before anything is waited for. */
static void send_frames(struct words *words, int sender)
{
	struct words one;

	arrival_count = 0;
	for (;;) {
		one = (struct words){0};
		while (peek(words) && strcmp(peek(words), "then"))
			one.word[one.count++] = words->word[words->next++];
		build(&one, sender, &outgoing);
		transmit(&outgoing, sender);
		if (!given(words, "then"))
			break;
		sender = parse_peer(take(words, "a peer"));
	}
	settle();
	print_arrivals();
}

/** Cuts the packet into fragments of at most `size` bytes of payload, and sends them from the first or from the last on. */
static void send_fragments(struct words *words)
{
	static struct frame whole, part;
	size_t size = take_number(words, "a size") & ~7UL, header, at, here;
	bool is_reversed = given(words, "reversed");
	int sender = parse_peer(take(words, "a peer")), i, count;
	struct words rest = *words;
	size_t offset;

	arrival_count = 0;
	build(&rest, sender, &whole);
	if (whole.bytes[14] >> 4 != 4)
		refuse("an IPv4 packet", "IPv6");
	header = 14 + (whole.bytes[14] & 15) * 4U;
	count = (int)((whole.length - header + size - 1) / size);
	for (i = 0; i < count; i++) {
		at = (size_t)(is_reversed ? count - 1 - i : i) * size;
		here = whole.length - header - at < size ? whole.length - header - at : size;
		memcpy(part.bytes, whole.bytes, header);
		memcpy(part.bytes + header, whole.bytes + header + at, here);
		part.length = header + here;
		offset = at / 8 | (at + here < whole.length - header ? 0x2000 : 0);
		part.bytes[16] = (uint8_t)((part.length - 14) >> 8);
		part.bytes[17] = (uint8_t)(part.length - 14);
		part.bytes[20] = (uint8_t)(offset >> 8);
		part.bytes[21] = (uint8_t)offset;
		memset(part.bytes + 24, 0, 2);
		offset = fold(add_words(0, part.bytes + 14, header - 14));
		part.bytes[24] = (uint8_t)(offset >> 8);
		part.bytes[25] = (uint8_t)offset;
		transmit(&part, sender);
	}
	settle();
	print_arrivals();
}

/** One frame, often; how many of it arrive where. */
static void repeat(struct words *words)
{
	unsigned long count = take_number(words, "how often"), sent, counted[REAL_SERVERS + 1] = {0};
	int sender = parse_peer(take(words, "a peer")), i, peer;

	build(words, sender, &outgoing);
	for (sent = 1; sent <= count; sent++) {
		transmit(&outgoing, sender);
		if (sent % (MAX_ARRIVALS / 4) && sent < count)
			continue;
		settle();
		for (i = 0; i < arrival_count; i++) {
			peer = peer_with(arrivals[i]->bytes);
			if (peer != NOBODY)
				counted[peer]++;
		}
		arrival_count = 0;
	}
	for (peer = 0; peer <= REAL_SERVERS; peer++) {
		if (counted[peer])
			printf("%s %lu times\n", peer_name(peer), counted[peer]);
	}
}

static void obey(struct words *words)
{
	const char *verb = take(words, "a verb");

	if (parse_peer(verb) != NOBODY)
		send_frames(words, parse_peer(verb));
	else if (!strcmp(verb, "fragment"))
		send_fragments(words);
	else if (!strcmp(verb, "repeat"))
		repeat(words);
	else if (!strcmp(verb, "open"))
		open_connections(words);
	else if (!strcmp(verb, "close"))
		close_connections(words);
	else if (!strcmp(verb, "reset"))
		reset_connections(words);
	else if (!strcmp(verb, "talk"))
		talk(words);
	else if (!strcmp(verb, "forget"))
		forget_connections();
	else if (!strcmp(verb, "gue"))
		gue_port = (uint16_t)take_number(words, "a port");
	else
		refuse("a verb", verb);
}

int main(int count, char **values)
{
	static char line[1 << 20];
	struct words words;
	char *word;

	if (count != 3) {
		fprintf(stderr, "usage: peers CLIENT-INTERFACE SERVER-INTERFACE\n");
		return 64;
	}
	/* The script puts the interfaces here once there is a network for them, and says so. */
	enter_network();
	printf(".\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	open_wire(values[1], values[2]);
	printf(".\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		words = (struct words){0};
		for (word = strtok(line, " \n"); word && words.count < MAX_WORDS; word = strtok(NULL, " \n"))
			words.word[words.count++] = word;
		if (words.count > 0)
			obey(&words);
		printf(".\n");
		fflush(stdout);
	}
	return 0;
}
