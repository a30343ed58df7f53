/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* SCTP: its states, as net/netfilter/ipvs/ip_vs_proto_sctp.c has them, and its CRC32c kept right when ports change. */
#pragma once

#include "parse.h"

#define SCTP_COLUMNS 14

#define NO STATE_NONE
#define I1 STATE_SCTP_INIT1
#define IN STATE_SCTP_INIT
#define CS STATE_SCTP_COOKIE_SENT
#define CR STATE_SCTP_COOKIE_REPLIED
#define CW STATE_SCTP_COOKIE_WAIT
#define CO STATE_SCTP_COOKIE
#define CE STATE_SCTP_COOKIE_ECHOED
#define ES STATE_SCTP_ESTABLISHED
#define SS STATE_SCTP_SHUTDOWN_SENT
#define SR STATE_SCTP_SHUTDOWN_RECEIVED
#define SA STATE_SCTP_SHUTDOWN_ACK_SENT
#define RJ STATE_SCTP_REJECTED
#define CL STATE_SCTP_CLOSED

/* clang-format off */
static const __u8 sctp_next_state[DIRECTIONS][SCTP_EVENTS][SCTP_COLUMNS] = {
	[DIRECTION_IN] = {			/*  NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL */
		[SCTP_EVENT_DATA] =		{ ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_INIT] =		{ I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN },
		[SCTP_EVENT_INIT_ACK] =		{ CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ECHO] =	{ CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ACK] =	{ ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN] =		{ SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_ACK] =	{ CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_COMPLETE] ={ CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL },
		[SCTP_EVENT_ERROR] =		{ CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ABORT] =		{ CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[DIRECTION_OUT] = {
		[SCTP_EVENT_DATA] =		{ ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_INIT] =		{ CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW },
		[SCTP_EVENT_INIT_ACK] =		{ CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ECHO] =	{ CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ACK] =	{ ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN] =		{ SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_ACK] =	{ SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_COMPLETE] ={ CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ERROR] =		{ CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ABORT] =		{ CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[DIRECTION_IN_ONLY] = {
		[SCTP_EVENT_DATA] =		{ ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_INIT] =		{ I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN },
		[SCTP_EVENT_INIT_ACK] =		{ CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ECHO] =	{ ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ACK] =	{ ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN] =		{ SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_ACK] =	{ CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_COMPLETE] ={ CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL },
		[SCTP_EVENT_ERROR] =		{ CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ABORT] =		{ CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL },
	},
};
/* clang-format on */

#undef NO
#undef I1
#undef IN
#undef CS
#undef CR
#undef CW
#undef CO
#undef CE
#undef ES
#undef SS
#undef SR
#undef SA
#undef RJ
#undef CL

/* All values are from packets and maps: any number. A function of its own, for the verifier knows what they may be only where it has just compared them. */
__noinline __u32 sctp_state_after(__u32 direction, __u32 event, __u32 state)
{
	__u32 column = state == STATE_NONE ? 0 : state - STATE_SCTP_INIT1 + 1;

	if (event >= SCTP_EVENTS || direction >= DIRECTIONS) /* no chunk says nothing */
		return state;
	return column < SCTP_COLUMNS ? sctp_next_state[direction][event][column] : STATE_SCTP_CLOSED;
}

/*
 * CRC32c (RFC 9260, appendix A) is linear: what a difference D in a packet's first four bytes does to it is D times x^(8 * length)
 * modulo the polynomial, whatever the other bytes are. So the payload need not be read. Bits are reflected: x^0 is the highest.
 */
#define CRC32C_POLYNOMIAL 0x82f63b78U

/* [k][n] is x^(8 * n * 16^k). */
static const __u32 crc32c_power[4][16] = {
	{0x80000000, 0x00800000, 0x00008000, 0x00000080, 0x82f63b78, 0xfbc3faf9, 0x8b277743, 0x52a0c93f, 0x6ea2d55c,
	 0x1c08b7d6, 0xf56e0ef4, 0x34019664, 0xa66805eb, 0x7a1f6b24, 0xe75d06aa, 0xc94ec098},
	{0x80000000, 0x18b8ea18, 0x510ac59a, 0xb2dea967, 0xb82be955, 0x36c41f1c, 0x19b29a35, 0xc9e90b9e, 0xb8fdb1e7,
	 0xe55ef1f3, 0x1fe0b5c3, 0xe0553f1e, 0x18e4a304, 0x2b830011, 0x56993a31, 0x0246e2e6},
	{0x80000000, 0x88e56f72, 0x74c360a4, 0x631bb273, 0xe4172b16, 0x71892b1b, 0x835305c9, 0x196b1eae, 0x0d65762a,
	 0xafc81338, 0xb5a50ab7, 0xf373c3ac, 0x5f60970f, 0xd46d3063, 0x3a5275ea, 0x02331c01},
	{0x80000000, 0x35d73a62, 0x28461564, 0x43eefc9f, 0xbf455269, 0x5edcdeb9, 0x65059450, 0x4e6f41a4, 0xe2ea32dc,
	 0xf5b95b32, 0x695a4c87, 0xf204502c, 0x9a4f01b6, 0x941a0916, 0x4303cb97, 0x4c3d3d65},
};

/* Both as polynomials. */
static __always_inline __u32 crc32c_product(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = b >> 1 ^ (CRC32C_POLYNOMIAL & -(b & 1));
	}
	return product;
}

/* What the checksum of an SCTP packet of `length` bytes changes by, when its ports, as on the wire, change by `changed`. */
__noinline __u32 crc32c_difference(__u32 changed, __u32 length)
{
	for (int k = 0; k < 4; k++) {
		__u32 digit = length >> (4 * k) & 0xf;

		changed = crc32c_product(changed, crc32c_power[k][digit]);
	}
	return changed;
}

/* The header's ports, and its checksum unless a device computes that. `length`: of the packet from this header on. */
static __always_inline void translate_sctp(struct sctp_header *sctp, __u32 new_ports, __u32 length, bool is_partial)
{
	__u32 *ports = (void *)sctp;

	if (!is_partial)
		sctp->checksum ^= crc32c_difference(*ports ^ new_ports, length);
	*ports = new_ports;
}

/* A fragment does not tell the packet's length. */
static __always_inline bool is_sctp_translatable(const struct packet *packet, __u32 new_ports)
{
	return !(packet->rare & RARE_FIRST_FRAGMENT) || (__u32)packet->ports == new_ports;
}

/* Of what has no Internet checksum in layer 4, or no layer 4 of its own. */
static __always_inline bool is_without_sum(const struct packet *packet)
{
	return packet->protocol == IPPROTO_SCTP || packet->rare & RARE_PORTLESS;
}

static __always_inline __u32 transport_length(const struct packet *packet)
{
	return packet->length - (packet->l4 - L3);
}
