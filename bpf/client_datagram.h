/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * UDP at a real server of LVS-FULLNAT. A socket may have many peers, so who they are is known by the address and port that the director
 * sends from: what recvmsg() answers is the client, and what is sent to the client goes to the director.
 */
#pragma once

#include "client.h"

#define SOCK_DGRAM 2
#define NS_PER_S 1000000000ULL

/* No longer than a director remembers a connection without packets: what comes from the same port later is another client's. */
#define IDLE_S 300

/* The other end of a port here: a director, or a client. */
struct peer {
	struct address address;
	__be16 port;
	__be16 local_port;
};

struct datagram_client {
	struct client client;
	struct address local; /* whom it asked here */
	__u32 seen_s;
	__u32 torn_s; /* when the director last took its port for another of our addresses, so nobody is told; or 0 */
};

/* Of a director's end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct peer);
	__type(value, struct datagram_client);
} datagram_clients SEC(".maps");

/* And back, of a client's: the director's end that it last came by. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct peer);
	__type(value, struct client);
} ways_back SEC(".maps");

static __always_inline __u32 seconds(void)
{
	return bpf_ktime_get_ns() / NS_PER_S;
}

static __always_inline bool is_forgotten(const struct datagram_client *known, __u32 now_s)
{
	return now_s - known->seen_s >= IDLE_S;
}

static __always_inline bool is_torn(const struct datagram_client *known, __u32 now_s)
{
	return known->torn_s && now_s - known->torn_s < IDLE_S;
}

static __always_inline void note_seen(struct datagram_client *known, __u32 now_s)
{
	if (known->seen_s != now_s)
		known->seen_s = now_s;
}

static __always_inline struct peer director_of(const struct connection *connection)
{
	return (struct peer){
		.address = connection->remote, .port = connection->remote_port, .local_port = connection->local_port};
}

/* -- TC -- */

static __always_inline void learn_datagram(const struct connection *connection, const struct client *client)
{
	struct datagram_client learned = {.client = *client, .local = connection->local, .seen_s = seconds()};
	struct peer peer = director_of(connection);
	struct datagram_client *known = bpf_map_lookup_elem(&datagram_clients, &peer);

	if (known && !is_forgotten(known, learned.seen_s))
		learned.torn_s = is_same(&known->local, &learned.local) ? known->torn_s : learned.seen_s;
	bpf_map_update_elem(&datagram_clients, &peer, &learned, BPF_ANY);
	count(TALE_LEARNED);
}

/* One that tells nothing. Sockets that are connected to their clients have no hook that would note it. */
static __always_inline void note_datagram(const struct connection *connection)
{
	struct peer peer = director_of(connection);
	struct datagram_client *known = bpf_map_lookup_elem(&datagram_clients, &peer);
	__u32 now_s;

	if (!known)
		return;
	now_s = seconds();
	if (!is_forgotten(known, now_s))
		note_seen(known, now_s);
}

/* DPVS's header, once it has been read: the stack sees the datagram as it was. It is of a known size, right behind IP's fixed header. */
static __always_inline void take_header_off(struct __sk_buff *skb, bool is_six, __u32 size)
{
	union {
		struct iphdr four;
		struct ipv6hdr six;
	} ip;
	__u64 sum;

	if (bpf_skb_adjust_room(skb, -(__s32)size, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO))
		return;
	if (is_six) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip.six, sizeof(ip.six)))
			return;
		ip.six.nexthdr = IPPROTO_UDP;
		ip.six.payload_len = bpf_htons(bpf_ntohs(ip.six.payload_len) - size);
		bpf_skb_store_bytes(skb, ETH_HLEN, &ip.six, sizeof(ip.six), BPF_F_RECOMPUTE_CSUM);
		return;
	}
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip.four, sizeof(ip.four)))
		return;
	ip.four.protocol = IPPROTO_UDP;
	ip.four.tot_len = bpf_htons(bpf_ntohs(ip.four.tot_len) - size);
	ip.four.check = 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip.four, sizeof(ip.four), 0);
	sum = (sum & 0xffff) + (sum >> 16);
	ip.four.check = ~(sum + (sum >> 16));
	/* Its own checksum makes the header's sum 0, before as after. */
	bpf_skb_store_bytes(skb, ETH_HLEN, &ip.four, sizeof(ip.four), 0);
}

/* -- sockets -- */

/* The sock_addr's address, by words: the kernel rewrites each access by itself. */
static __always_inline struct address read_six(const struct bpf_sock_addr *ctx)
{
	return (struct address){.word = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]}};
}

static __always_inline void write_six(struct bpf_sock_addr *ctx, const struct address *address)
{
	ctx->user_ip6[0] = address->word[0];
	ctx->user_ip6[1] = address->word[1];
	ctx->user_ip6[2] = address->word[2];
	ctx->user_ip6[3] = address->word[3];
}

/* What the socket is bound to; none: any address. */
static __always_inline struct address bound_to(const struct bpf_sock *sk, bool is_six)
{
	if (!is_six)
		return sk->src_ip4 ? mapped(sk->src_ip4) : (struct address){};
	return (struct address){.word = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]}};
}

static __always_inline bool is_any(const struct address *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

/* A datagram socket of this namespace. */
static __always_inline bool is_ours(struct bpf_sock_addr *ctx)
{
	return ctx->type == SOCK_DGRAM && bpf_get_netns_cookie(ctx) == netns_cookie;
}

/* Whose datagrams come from this end, by the word of its director; and that its answers go there. */
static __always_inline struct client *client_behind(const struct bpf_sock_addr *ctx, const struct address *director,
						    bool is_six)
{
	struct bpf_sock *sk = ctx->sk;
	struct datagram_client *known;
	struct client way, *noted;
	struct address bound;
	struct peer peer = {.address = *director, .port = (__be16)ctx->user_port};
	__u32 now_s;

	if (!sk)
		return NULL;
	peer.local_port = bpf_htons((__u16)sk->src_port);
	known = bpf_map_lookup_elem(&datagram_clients, &peer);
	now_s = seconds();
	if (!known || is_forgotten(known, now_s) || is_torn(known, now_s))
		return NULL;
	bound = bound_to(sk, is_six);
	if (!is_any(&bound) && !is_same(&bound, &known->local))
		return NULL;
	note_seen(known, now_s);
	way = (struct client){.address = *director, .port = peer.port};
	peer.address = known->client.address;
	peer.port = known->client.port;
	noted = bpf_map_lookup_elem(&ways_back, &peer);
	if (!noted || noted->port != way.port || !is_same(&noted->address, &way.address)) {
		bpf_map_update_elem(&ways_back, &peer, &way, BPF_ANY);
		count(TALE_TOLD);
	}
	return &known->client;
}

/* The director's end that leads to this client, and to no other. */
static __always_inline struct client *way_back_to(const struct bpf_sock_addr *ctx, const struct address *client)
{
	struct peer peer = {.address = *client, .port = (__be16)ctx->user_port};
	struct bpf_sock *sk = ctx->sk;
	struct datagram_client *known;
	struct client *way;
	__be16 port = peer.port;
	__u32 now_s;

	if (!sk)
		return NULL;
	peer.local_port = bpf_htons((__u16)sk->src_port);
	way = bpf_map_lookup_elem(&ways_back, &peer);
	if (!way)
		return NULL;
	peer.address = way->address;
	peer.port = way->port;
	known = bpf_map_lookup_elem(&datagram_clients, &peer);
	now_s = seconds();
	if (!known || is_forgotten(known, now_s) || known->client.port != port ||
	    !is_same(&known->client.address, client))
		return NULL;
	note_seen(known, now_s);
	return way;
}

static __always_inline void show_client_four(struct bpf_sock_addr *ctx)
{
	struct address director = mapped(ctx->user_ip4);
	struct client *client = client_behind(ctx, &director, false);

	if (client) {
		ctx->user_ip4 = client->address.word[3];
		ctx->user_port = client->port;
	}
}

static __always_inline void show_client_six(struct bpf_sock_addr *ctx)
{
	struct address director = read_six(ctx);
	struct client *client = client_behind(ctx, &director, true);

	if (client) {
		write_six(ctx, &client->address);
		ctx->user_port = client->port;
	}
}

static __always_inline void go_back_four(struct bpf_sock_addr *ctx)
{
	struct address client = mapped(ctx->user_ip4);
	struct client *way = way_back_to(ctx, &client);

	if (way) {
		ctx->user_ip4 = way->address.word[3];
		ctx->user_port = way->port;
	}
}

static __always_inline void go_back_six(struct bpf_sock_addr *ctx)
{
	struct address client = read_six(ctx);
	struct client *way = way_back_to(ctx, &client);

	if (way) {
		write_six(ctx, &way->address);
		ctx->user_port = way->port;
	}
}

SEC("cgroup/recvmsg4")
int client_receive_four(struct bpf_sock_addr *ctx)
{
	if (is_ours(ctx))
		show_client_four(ctx);
	return 1;
}

SEC("cgroup/recvmsg6")
int client_receive_six(struct bpf_sock_addr *ctx)
{
	if (is_ours(ctx))
		show_client_six(ctx);
	return 1;
}

SEC("cgroup/sendmsg4")
int client_send_four(struct bpf_sock_addr *ctx)
{
	if (is_ours(ctx))
		go_back_four(ctx);
	return 1;
}

SEC("cgroup/sendmsg6")
int client_send_six(struct bpf_sock_addr *ctx)
{
	if (is_ours(ctx))
		go_back_six(ctx);
	return 1;
}

/* A server may have a socket of its own for each client. */
SEC("cgroup/connect4")
int client_connect_four(struct bpf_sock_addr *ctx)
{
	if (is_ours(ctx))
		go_back_four(ctx);
	return 1;
}

SEC("cgroup/connect6")
int client_connect_six(struct bpf_sock_addr *ctx)
{
	if (is_ours(ctx))
		go_back_six(ctx);
	return 1;
}
