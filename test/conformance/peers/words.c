// SPDX-License-Identifier: MIT
// Reading a command word by word; addresses and numbers in text.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

/** A scenario that can't be read is a mistake in it, not a finding. */
_Noreturn void refuse(const char *what, const char *word)
{
	printf("peers: expected %s, got '%s'\n.\n", what, word ? word : "nothing");
	fflush(stdout);
	exit(70);
}

const char *peek(const struct words *words)
{
	return words->next < words->count ? words->word[words->next] : NULL;
}

const char *take(struct words *words, const char *what)
{
	if (words->next == words->count)
		refuse(what, NULL);
	return words->word[words->next++];
}

bool given(struct words *words, const char *word)
{
	const char *next = peek(words);

	if (!next || strcmp(next, word))
		return false;
	words->next++;
	return true;
}

unsigned long take_number(struct words *words, const char *what)
{
	const char *word = take(words, what);
	char *end;
	unsigned long number = strtoul(word, &end, 0);

	if (*end || end == word)
		refuse(what, word);
	return number;
}

struct address parse_address(const char *text)
{
	struct address address = {.family = strchr(text, ':') ? 6 : 4};

	if (inet_pton(address.family == 4 ? AF_INET : AF_INET6, text, address.bytes) != 1)
		refuse("an address", text);
	return address;
}

struct address take_address(struct words *words)
{
	return parse_address(take(words, "an address"));
}

size_t parse_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t length = strlen(text) / 2, i;
	unsigned int byte;

	for (i = 0; i < length && i < room; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			refuse("hexadecimal digits", text);
		bytes[i] = (uint8_t)byte;
	}
	return length;
}

/** Counts in the last two bytes. */
struct address address_plus(struct address address, unsigned long more)
{
	uint8_t *last = address.bytes + (address.family == 4 ? 2 : 14);
	unsigned long value = (unsigned long)(last[0] << 8 | last[1]) + more;

	last[0] = (uint8_t)(value >> 8);
	last[1] = (uint8_t)value;
	return address;
}

bool same_address(const struct address *a, const struct address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16);
}

/** Two at a time may be in use. */
const char *address_text(const struct address *address)
{
	static char text[2][INET6_ADDRSTRLEN];
	static int turn;

	turn = !turn;
	inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text[turn], sizeof(text[turn]));
	return text[turn];
}
