/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What FTP by masquerading needs beside its entries: of a control connection how far its server's text was moved, and its last data
 * connection; of an entry that waits for a client's data connection, whose it is.
 */
#pragma once

#include "flow.h"

#define SESSIONS_MOST 65536

struct session {
	struct tuple data; /* the last data connection's key; no protocol: there was none */
	__u32 position; /* the server's sequence number of the last text whose length was changed; from there on */
	__u32 before; /* sequence numbers up to there are moved by this, */
	__u32 after; /* those beyond by that */
	__u32 control; /* of an entry that waits: the slot of its control connection */
};

/* slot of an entry with FLOW_FTP -> what there is to say of it */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS_MOST);
	__type(key, __u32);
	__type(value, struct session);
} sessions SEC(".maps");

/* 1: the packet that this CPU is at was read, and walks on. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ftp_read SEC(".maps");

/* Once for each that was. */
static __always_inline bool was_read(void)
{
	__u32 zero = 0, *is_read = bpf_map_lookup_elem(&ftp_read, &zero);

	if (!is_read || !*is_read)
		return false;
	*is_read = 0;
	return true;
}

/* Before the slot is free for others. */
__noinline int forget_session(__u32 slot)
{
	return bpf_map_delete_elem(&sessions, &slot);
}

/* A control connection outlives its data connection, however long nothing is said meanwhile (ip_vs_control_add). */
__noinline int has_data_connection(__u32 slot)
{
	struct session *session = bpf_map_lookup_elem(&sessions, &slot);
	struct tuple data;

	if (!session || !session->data.ports)
		return 0;
	data = session->data;
	return find_tuple(&data) != NO_SLOT;
}
