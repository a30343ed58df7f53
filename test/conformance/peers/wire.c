// SPDX-License-Identifier: MIT
// Sends and receives whole frames on the client's and on the real servers' interface, and knows when all is quiet.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers.h"

#define ROUNDS 3
#define LOST_MS 500
#define AWAIT_MS 20
#define AWAIT_TRIES 500

int arrival_count;
struct frame *arrivals[MAX_ARRIVALS];

static int wire = -1;
static unsigned int client_index, server_index;

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 0xc0};
static const uint8_t client_side_mac[6] = {2, 0, 0, 0, 0, 0xd0};
static const uint8_t server_side_mac[6] = {2, 0, 0, 0, 0, 0xd1};
/** d0's and d1's addresses, which they answer for as long as they are up. */
static const uint8_t client_side_address[4] = {10, 0, 0, 254};
static const uint8_t server_side_address[4] = {10, 1, 0, 254};

static void fail(const char *what)
{
	fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
	exit(71);
}

/** A network of our own, in which the kernel says nothing by itself. */
void enter_network(void)
{
	int silence;

	if (unshare(CLONE_NEWNET))
		fail("unshare");
	silence = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
	if (silence >= 0 && write(silence, "1", 1) != 1)
		fail("disable_ipv6");
	close(silence);
}

static unsigned int bring_up(int any, const char *device)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, IFNAMSIZ, "%s", device);
	request.ifr_flags = IFF_UP;
	if (ioctl(any, SIOCSIFFLAGS, &request))
		fail(device);
	return if_nametoindex(device);
}

static void await_director(int peer);

/** On one CPU: what a frame sets off is then worked on in the order of the frames. */
void open_wire(const char *client_device, const char *server_device)
{
	int on = 1, room = 64 << 20, any = socket(AF_INET, SOCK_DGRAM, 0);
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	client_index = bring_up(any, client_device);
	server_index = bring_up(any, server_device);
	close(any);
	wire = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (wire < 0)
		fail("socket");
	setsockopt(wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	setsockopt(wire, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on));
	setsockopt(wire, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	await_director(CLIENT);
	await_director(1);
}

const uint8_t *mac_of(int peer)
{
	static uint8_t mac[6] = {2, 0, 0, 0, 1, 0};

	mac[5] = (uint8_t)peer;
	return peer == CLIENT ? client_mac : mac;
}

const uint8_t *director_mac(int peer)
{
	return peer == CLIENT ? client_side_mac : server_side_mac;
}

int peer_with(const uint8_t *mac)
{
	if (!memcmp(mac, client_mac, 6))
		return CLIENT;
	return !memcmp(mac, "\2\0\0\0\1", 5) && mac[5] >= 1 && mac[5] <= REAL_SERVERS ? mac[5] : NOBODY;
}

int parse_peer(const char *name)
{
	if (!strcmp(name, "c"))
		return CLIENT;
	return name[0] == 'r' && name[1] >= '1' && name[1] <= '9' && !name[2] ? name[1] - '0' : NOBODY;
}

const char *peer_name(int peer)
{
	static char name[3] = "r";

	name[1] = (char)('0' + peer);
	return peer == CLIENT ? "c" : name;
}

static void put(const void *bytes, size_t length, unsigned int index)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_halen = 6};

	if (sendto(wire, bytes, length, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		printf("not sent: %s\n", strerror(errno));
}

void transmit(const struct frame *frame, int sender)
{
	put(frame->bytes, frame->length, sender == CLIENT ? client_index : server_index);
}

/** Asks who has the director's address on a peer's side, as RFC 5227's probe does: an answer, and no trace in the director's tables. */
static void ask(int peer, const uint8_t *answer_to)
{
	uint8_t probe[42] = {0};

	memcpy(probe, director_mac(peer), 6);
	memcpy(probe + 6, answer_to, 6);
	memcpy(probe + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
	memcpy(probe + 22, answer_to, 6);
	memcpy(probe + 38, peer == CLIENT ? client_side_address : server_side_address, 4);
	put(probe, sizeof(probe), peer == CLIENT ? client_index : server_index);
}

/** ARP, and what IPv6 says to groups by itself. */
static bool is_noise(const uint8_t *bytes, size_t length)
{
	return length < 14 || (bytes[12] == 8 && bytes[13] == 6) || bytes[0] & 1;
}

static void keep(const uint8_t *bytes, size_t length)
{
	struct frame *frame;

	if (arrival_count == MAX_ARRIVALS)
		return;
	frame = arrivals[arrival_count];
	if (!frame && !(frame = arrivals[arrival_count] = malloc(sizeof(*frame))))
		fail("memory");
	memcpy(frame->bytes, bytes, length);
	frame->length = length;
	arrival_count++;
}

/** The kernel takes a tag off before anyone sees the frame, and tells of it beside. */
static ssize_t receive(uint8_t *bytes, size_t room)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec part = {.iov_base = bytes, .iov_len = room};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(wire, &message, MSG_DONTWAIT);
	struct cmsghdr *beside;
	struct tpacket_auxdata facts;

	if (length < 14)
		return length;
	for (beside = CMSG_FIRSTHDR(&message); beside; beside = CMSG_NXTHDR(&message, beside)) {
		if (beside->cmsg_level != SOL_PACKET || beside->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&facts, CMSG_DATA(beside), sizeof(facts));
		if (!(facts.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		memmove(bytes + 16, bytes + 12, (size_t)length - 12);
		bytes[12] = (uint8_t)(facts.tp_vlan_tpid >> 8);
		bytes[13] = (uint8_t)facts.tp_vlan_tpid;
		bytes[14] = (uint8_t)(facts.tp_vlan_tci >> 8);
		bytes[15] = (uint8_t)facts.tp_vlan_tci;
		length += 4;
	}
	return length;
}

/** Takes what has arrived; whether the answer was among it. */
static bool take_in(const uint8_t *answer_to)
{
	static uint8_t bytes[MAX_FRAME];
	bool is_answered = false;
	ssize_t length;

	while ((length = receive(bytes, sizeof(bytes) - 4)) > 0) {
		if (length >= 14 && !memcmp(bytes, answer_to, 6))
			is_answered = true;
		else if (!is_noise(bytes, (size_t)length))
			keep(bytes, (size_t)length);
	}
	return is_answered;
}

/** An interface that has just come up drops what it is to send until the kernel has put a queue there: a second, sometimes. */
static void await_director(int peer)
{
	static const uint8_t answer_to[6] = {2, 0xfd};
	struct pollfd arriving = {.fd = wire, .events = POLLIN};
	int tries;

	for (tries = 0; tries < AWAIT_TRIES; tries++) {
		ask(peer, answer_to);
		if (poll(&arriving, 1, AWAIT_MS) > 0 && take_in(answer_to))
			break;
	}
	arrival_count = 0;
}

/**
 * A question to the director passes every queue behind the frames that were sent; several in turn pass more queues than a
 * frame does on its way from one peer to the other.
 */
void settle(void)
{
	static uint8_t answer_to[6] = {2, 0xfe};
	struct pollfd arriving = {.fd = wire, .events = POLLIN};
	int round;

	for (round = 0; round < ROUNDS; round++) {
		if (++answer_to[5] == 0)
			answer_to[4]++;
		ask(CLIENT, answer_to);
		while (!take_in(answer_to)) {
			if (poll(&arriving, 1, LOST_MS) == 0)
				return;
		}
	}
	take_in(answer_to);
}
