// SPDX-License-Identifier: MIT
// What the parts of `peers` share: addresses, frames being written or read, and the wire they go over.
#ifndef PEERS_H
#define PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_FRAME 65600
#define MAX_WORDS 256
#define MAX_ARRIVALS 256
#define REAL_SERVERS 9

enum protocol {
	ICMP = 1,
	IPIP = 4,
	TCP = 6,
	UDP = 17,
	IPV6 = 41,
	GRE = 47,
	ESP = 50,
	AH = 51,
	ICMP6 = 58,
	SCTP = 132
};
enum tcp_flags {
	FIN = 1,
	SYN = 2,
	RST = 4,
	PSH = 8,
	ACK = 16,
	URG = 32
};

struct address {
	int family; // 4 or 6
	uint8_t bytes[16];
};

struct frame {
	size_t length;
	uint8_t bytes[MAX_FRAME];
};

/** The words of a command that are still to be read. */
struct words {
	int count, next;
	char *word[MAX_WORDS];
};

/** Who a frame is from or for: the client, or a real server by its number. */
#define CLIENT 0
#define NOBODY (-1)

/** What a frame that arrived is about, tunnels taken off. */
struct facts {
	int receiver;
	int protocol;
	struct address source, destination;
	uint16_t source_port, destination_port;
	uint8_t flags; // TCP's, or the first chunk's type of SCTP, or ICMP's type
	bool in_tunnel;
};

/* words.c */
_Noreturn void refuse(const char *what, const char *word);
const char *peek(const struct words *words);
const char *take(struct words *words, const char *what);
bool given(struct words *words, const char *word);
unsigned long take_number(struct words *words, const char *what);
struct address take_address(struct words *words);
struct address parse_address(const char *text);
size_t parse_hex(const char *text, uint8_t *bytes, size_t room);
struct address address_plus(struct address address, unsigned long more);
bool same_address(const struct address *a, const struct address *b);
const char *address_text(const struct address *address);

/* build.c: from words to bytes. */
void build(struct words *words, int sender, struct frame *frame);
/** Ethernet's header is written, the rest is for the caller. */
size_t begin(struct frame *frame, int sender, int family);
void build_segment(struct frame *frame, int sender, int protocol, const struct address *source, uint16_t source_port,
		   const struct address *destination, uint16_t destination_port, int flags, const char *data);
const char *flag_letters(int flags);
int parse_flags(const char *text);

/* sums.c */
uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t length);
uint16_t fold(uint32_t sum);
uint32_t pseudo_header(const struct address *source, const struct address *destination, int protocol, size_t length);
uint32_t crc32c(const uint8_t *bytes, size_t length);

/* decode.c: from bytes to a line of text, and to facts. */
void print_frame(const struct frame *frame);
void read_facts(const struct frame *frame, struct facts *facts);
void remember_id(uint8_t protocol, uint16_t id);
extern uint16_t gue_port;

/* wire.c */
void enter_network(void);
void open_wire(const char *client_device, const char *server_device);
const uint8_t *mac_of(int peer);
/** The director's interface that `peer` sees. */
const uint8_t *director_mac(int peer);
int peer_with(const uint8_t *mac);
int parse_peer(const char *name);
const char *peer_name(int peer);
void transmit(const struct frame *frame, int sender);
/** Waits until all that was sent has had its effects. What arrived is in arrivals[]. */
void settle(void);
extern int arrival_count;
extern struct frame *arrivals[MAX_ARRIVALS];

/* connections.c */
void open_connections(struct words *words);
void close_connections(struct words *words);
void reset_connections(struct words *words);
void talk(struct words *words);
void forget_connections(void);

#endif
