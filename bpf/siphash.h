/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* SipHash-1-3, word by word (lib/siphash.c of the kernel has it as hsiphash). */
#pragma once

#include <linux/types.h>

struct siphash {
	__u64 v[4];
};

static __always_inline __u64 rotated(__u64 value, __u32 bits)
{
	return value << bits | value >> (64 - bits);
}

static __always_inline void siphash_round(__u64 *v)
{
	v[0] += v[1];
	v[1] = rotated(v[1], 13) ^ v[0];
	v[0] = rotated(v[0], 32);
	v[2] += v[3];
	v[3] = rotated(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotated(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotated(v[1], 17) ^ v[2];
	v[2] = rotated(v[2], 32);
}

static __always_inline void siphash_begin(struct siphash *hash, __u64 key_0, __u64 key_1)
{
	hash->v[0] = 0x736f6d6570736575ULL ^ key_0;
	hash->v[1] = 0x646f72616e646f6dULL ^ key_1;
	hash->v[2] = 0x6c7967656e657261ULL ^ key_0;
	hash->v[3] = 0x7465646279746573ULL ^ key_1;
}

static __always_inline void siphash_add(struct siphash *hash, __u64 word)
{
	hash->v[3] ^= word;
	siphash_round(hash->v);
	hash->v[0] ^= word;
}

/* `last`: what is left of less than a word, with the length in bytes above it. */
static __always_inline __u64 siphash_end(struct siphash *hash, __u64 last)
{
	siphash_add(hash, last);
	hash->v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		siphash_round(hash->v);
	return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
