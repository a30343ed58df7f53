/* SPDX-License-Identifier: MIT */
/*
 * push DEVICE TARGET-MAC VIP PORT FLOWS PACKETS ROUNDS: UDP packets of so many flows into a device, by few system calls; prints
 * nanoseconds a packet, a line a round. In a machine that counts instructions as nanoseconds those are instructions.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PAYLOAD 64
#define BATCH 1024
#define FIRST_PORT 1024

struct frame {
	struct ether_header ethernet;
	struct iphdr ip;
	struct udphdr udp;
	unsigned char payload[PAYLOAD];
} __attribute__((packed));

static unsigned sum(const void *start, unsigned bytes)
{
	const unsigned char *at = start;
	unsigned total = 0, i;

	for (i = 0; i < bytes; i += 2)
		total += at[i] << 8 | at[i + 1];
	return total;
}

static unsigned short fold(unsigned total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons(~total);
}

static struct frame make_frame(const unsigned char *mac, const char *vip, int port, int source)
{
	struct frame frame = {.ethernet = {.ether_shost = {2, 0, 0, 0, 0, 0xc0}, .ether_type = htons(ETHERTYPE_IP)},
			      .ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP}};

	memcpy(frame.ethernet.ether_dhost, mac, 6);
	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.ethernet));
	frame.ip.frag_off = htons(IP_DF);
	frame.ip.saddr = inet_addr("10.0.0.1");
	frame.ip.daddr = inet_addr(vip);
	frame.ip.check = fold(sum(&frame.ip, sizeof(frame.ip)));
	frame.udp.source = htons(FIRST_PORT + source);
	frame.udp.dest = htons(port);
	frame.udp.len = htons(sizeof(frame.udp) + PAYLOAD);
	frame.udp.check = fold(sum(&frame.ip.saddr, 8) + IPPROTO_UDP + sizeof(frame.udp) + PAYLOAD +
			       sum(&frame.udp, sizeof(frame.udp) + PAYLOAD));
	return frame;
}

static void push(int fd, struct mmsghdr *messages, int packets)
{
	int sent = 0;

	while (sent < packets) {
		int left = packets - sent;
		int done = sendmmsg(fd, messages + sent, left < BATCH ? left : BATCH, 0);

		if (done < 0) {
			perror("sendmmsg");
			exit(1);
		}
		sent += done;
	}
}

int main(int count, char **words)
{
	struct sockaddr_ll place = {.sll_family = AF_PACKET};
	int fd, bypass = 1, buffer = 1 << 22, i, round;
	int port, flows, packets, rounds;
	unsigned char mac[6];
	struct frame *frames;
	struct iovec *vectors;
	struct mmsghdr *messages;

	if (count != 8 ||
	    sscanf(words[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
		return fprintf(stderr, "push DEVICE MAC VIP PORT FLOWS PACKETS ROUNDS\n"), 2;
	port = atoi(words[4]), flows = atoi(words[5]), packets = atoi(words[6]), rounds = atoi(words[7]);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	place.sll_ifindex = if_nametoindex(words[1]);
	if (fd < 0 || bind(fd, (void *)&place, sizeof(place)) < 0)
		return perror(words[1]), 1;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	frames = calloc(flows, sizeof(*frames));
	vectors = calloc(flows, sizeof(*vectors));
	messages = calloc(packets, sizeof(*messages));
	for (i = 0; i < flows; i++) {
		frames[i] = make_frame(mac, words[3], port, i);
		vectors[i] = (struct iovec){&frames[i], sizeof(*frames)};
	}
	for (i = 0; i < packets; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i % flows], .msg_iovlen = 1};
	for (round = 0; round < rounds; round++) {
		struct timespec before, after;

		clock_gettime(CLOCK_MONOTONIC, &before);
		push(fd, messages, packets);
		clock_gettime(CLOCK_MONOTONIC, &after);
		printf("%.1f\n", ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)) / packets);
	}
	return 0;
}
