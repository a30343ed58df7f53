/* SPDX-License-Identifier: MIT */
/*
 * ask serve ADDRESS PORT: answers requests of one size by answers of another, one connection after the other.
 * ask connections TARGET PORT COUNT ROUNDS: a connection, a request, its whole answer and the end of both directions, so many times;
 * ask requests TARGET PORT COUNT ROUNDS: so many requests and answers of one connection that stays open. Both print nanoseconds
 * for one, a line a round, then `idle` and which share of that time nobody had anything to do. In a machine that counts instructions as
 * nanoseconds those are instructions. What fails, or is answered in any other way, ends it.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 100
#define ANSWER 256
#define WARM 300 /* before the first round */

static char request[REQUEST], answer[ANSWER];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void check(bool is_right, const char *what)
{
	if (is_right)
		return;
	fprintf(stderr, "ask: %s\n", what);
	exit(1);
}

/* All of it, or what came before the end. */
static int take(int fd, char *target, int bytes)
{
	int got = 0;

	while (got < bytes) {
		int more = read(fd, target + got, bytes - got);

		if (more < 0)
			fail("read");
		if (more == 0)
			break;
		got += more;
	}
	return got;
}

static void give(int fd, const char *from, int bytes)
{
	if (write(fd, from, bytes) != bytes)
		fail("write");
}

static void at_once(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		fail("TCP_NODELAY");
}

static void serve(const struct sockaddr_in *place)
{
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	char got[REQUEST];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (void *)place, sizeof(*place)) < 0 || listen(listener, 16) < 0)
		fail("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept");
		at_once(fd);
		while (take(fd, got, REQUEST) == REQUEST) {
			check(memcmp(got, request, REQUEST) == 0, "another request came");
			give(fd, answer, ANSWER);
		}
		close(fd);
	}
}

static int open_to(const struct sockaddr_in *place)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at_once(fd);
	if (connect(fd, (void *)place, sizeof(*place)) < 0)
		fail("connect");
	return fd;
}

static void ask(int fd)
{
	char got[ANSWER];

	give(fd, request, REQUEST);
	check(take(fd, got, ANSWER) == ANSWER, "the answer ended early");
	check(memcmp(got, answer, ANSWER) == 0, "another answer came");
}

/* Both ends have said so and heard it, before the next begins. */
static void end(int fd)
{
	char more;

	if (shutdown(fd, SHUT_WR) < 0)
		fail("shutdown");
	check(take(fd, &more, 1) == 0, "more came than the answer");
	close(fd);
}

/* ns that CPU 0 ran somebody; the time of who asks counts up to its last pause. */
static double busy(void)
{
	unsigned long long ran = 0;
	char line[256];
	FILE *file = fopen("/proc/schedstat", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "cpu0 %*u %*u %*u %*u %*u %*u %llu", &ran) == 1)
			break;
	check(file && ran, "there is no /proc/schedstat of a CPU 0");
	fclose(file);
	return ran;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* `kept`: a connection that stays, or -1. */
static void repeat(const struct sockaddr_in *place, int kept, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		int fd = kept < 0 ? open_to(place) : kept;

		ask(fd);
		if (kept < 0)
			end(fd);
	}
}

int main(int count, char **words)
{
	struct sockaddr_in place = {.sin_family = AF_INET};
	double ran, total = 0;
	int kept, times, rounds, round;

	memset(request, 'q', REQUEST);
	memset(answer, 'a', ANSWER);
	if (count < 4 || inet_pton(AF_INET, words[2], &place.sin_addr) != 1)
		return fprintf(stderr, "ask serve|connections|requests ADDRESS PORT [COUNT ROUNDS]\n"), 2;
	place.sin_port = htons(atoi(words[3]));
	if (strcmp(words[1], "serve") == 0)
		serve(&place);
	check(count == 6, "COUNT and ROUNDS are missing");
	times = atoi(words[4]), rounds = atoi(words[5]);
	kept = strcmp(words[1], "requests") == 0 ? open_to(&place) : -1;
	repeat(&place, kept, WARM);
	ran = busy();
	for (round = 0; round < rounds; round++) {
		double began = now(), took;

		repeat(&place, kept, times);
		took = now() - began;
		total += took;
		printf("%.1f\n", took / times);
	}
	printf("idle %.4f\n", 1 - (busy() - ran) / total);
	return 0;
}
