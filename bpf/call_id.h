/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Templates of services with --pe sip: their key is a hash of the Call-ID and of what other templates have in their key. What it
 * is of is in a table beside, for listings.
 */
#pragma once

#include "maps.h"
#include "siphash.h"

/* Anybody may choose a Call-ID, so it is keyed by the secret. Beyond its length the text is 0. */
static __always_inline __u64 hash_call_id(const struct call_id *id)
{
	struct siphash hash;

	siphash_begin(&hash, config.hash_seed[0], config.hash_seed[1]);
	for (int i = 0; i < 4; i++)
		siphash_add(&hash, id->addresses.word[i]);
	for (__u32 i = 0; i < sizeof(id->word) / sizeof(*id->word) && i * 8 < id->length; i++)
		siphash_add(&hash, id->word[i]);
	return siphash_end(&hash, (__u64)id->length << 56);
}

static __always_inline void *call_id_table(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&call_id_tables, &zero);
}

/* Before the slot is free for others. */
__noinline int forget_call_id(__u32 slot)
{
	void *table = call_id_table();

	return table ? bpf_map_delete_elem(table, &slot) : -1;
}
