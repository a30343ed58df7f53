/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What an SCTP packet does to its association, by its chunks (RFC 9260), as set_sctp_state of ip_vs_proto_sctp.c reads them. */
#pragma once

#include "maps.h"
#include <bpf/bpf_endian.h>

struct sctp_header {
	__be16 source;
	__be16 destination;
	__be32 tag;
	__u32 checksum; /* little endian, as CRC32c's register is on the machines that we know */
};

struct sctp_chunk {
	__u8 type;
	__u8 flags;
	__be16 length; /* with this header, without the padding to a multiple of 4 */
};

enum sctp_event {
	SCTP_EVENT_DATA, /* any chunk that the others are not */
	SCTP_EVENT_INIT,
	SCTP_EVENT_INIT_ACK,
	SCTP_EVENT_COOKIE_ECHO,
	SCTP_EVENT_COOKIE_ACK,
	SCTP_EVENT_SHUTDOWN,
	SCTP_EVENT_SHUTDOWN_ACK,
	SCTP_EVENT_SHUTDOWN_COMPLETE,
	SCTP_EVENT_ERROR,
	SCTP_EVENT_ABORT,
	SCTP_EVENTS,
	SCTP_EVENT_NONE = SCTP_EVENTS, /* no chunk at all */
};

#define SCTP_CHUNK_COOKIE_ECHO 10
#define SCTP_CHUNK_COOKIE_ACK 11
#define SCTP_CHUNK_ABORT 6

static __always_inline enum sctp_event event_of_chunk(__u8 type)
{
	switch (type) {
	case 1:
		return SCTP_EVENT_INIT;
	case 2:
		return SCTP_EVENT_INIT_ACK;
	case SCTP_CHUNK_ABORT:
		return SCTP_EVENT_ABORT;
	case 7:
		return SCTP_EVENT_SHUTDOWN;
	case 8:
		return SCTP_EVENT_SHUTDOWN_ACK;
	case 9:
		return SCTP_EVENT_ERROR;
	case SCTP_CHUNK_COOKIE_ECHO:
		return SCTP_EVENT_COOKIE_ECHO;
	case SCTP_CHUNK_COOKIE_ACK:
		return SCTP_EVENT_COOKIE_ACK;
	case 14:
		return SCTP_EVENT_SHUTDOWN_COMPLETE;
	}
	return SCTP_EVENT_DATA;
}

static __always_inline long load_bytes(void *ctx, bool is_xdp, __u32 offset, void *to, __u32 length)
{
	return is_xdp ? bpf_xdp_load_bytes(ctx, offset, to, length) : bpf_skb_load_bytes(ctx, offset, to, length);
}

/*
 * The first chunk says it, but an ABORT may stand behind a cookie. `offset`: of the first chunk; `end`: of the packet, so that a
 * frame's padding is no chunk.
 */
static __always_inline enum sctp_event read_sctp_event(void *ctx, bool is_xdp, __u32 offset, __u32 end)
{
	struct sctp_chunk chunk;
	enum sctp_event event;
	__u32 length;

	if (offset + sizeof(chunk) > end || load_bytes(ctx, is_xdp, offset, &chunk, sizeof(chunk)))
		return SCTP_EVENT_NONE;
	event = event_of_chunk(chunk.type);
	if (event != SCTP_EVENT_COOKIE_ECHO && event != SCTP_EVENT_COOKIE_ACK)
		return event;
	length = bpf_ntohs(chunk.length);
	offset += (length + 3) & ~3U;
	if (length >= sizeof(chunk) && offset + sizeof(chunk) <= end &&
	    load_bytes(ctx, is_xdp, offset, &chunk, sizeof(chunk)) == 0 && chunk.type == SCTP_CHUNK_ABORT)
		return SCTP_EVENT_ABORT;
	return event;
}
