// SPDX-License-Identifier: MIT
// Checksums of RFC 1071, and SCTP's CRC32c.
#include "peers.h"

uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t length)
{
	size_t i;

	for (i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (length & 1)
		sum += (uint32_t)(bytes[length - 1] << 8);
	return sum;
}

uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t pseudo_header(const struct address *source, const struct address *destination, int protocol, size_t length)
{
	size_t size = source->family == 4 ? 4 : 16;
	uint32_t sum = add_words(add_words(0, source->bytes, size), destination->bytes, size);

	return sum + (uint32_t)protocol + (uint32_t)(length & 0xffff) + (uint32_t)(length >> 16);
}

uint32_t crc32c(const uint8_t *bytes, size_t length)
{
	uint32_t crc = ~0U;
	size_t i;
	int bit;

	for (i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}
