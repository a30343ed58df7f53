// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A real server of LVS-FULLNAT whose programs see the client, unmodified: what a director tells by the TOA option is what
 * accept() and getpeername() answer.
 *
 *   learn       TC ingress: a connection's option, if a director sent it -> learned
 *   establish   the connection is established: what was learned of it -> its socket
 *   tell_four, tell_six   who the peer of a socket is
 *
 * Addresses are IPv6's everywhere; IPv4's are mapped (::ffff:a.b.c.d), as sockets that take both know them.
 */
#include "fairlead.h"
#include "toa.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>

#define AF_INET 2
#define AF_INET6 10
#define PACKET_HOST 0
#define IP_OFFSET 0x1fff
#define MAPPED bpf_htonl(0xffff) /* the third word of an IPv4 address */

/* A cgroup's programs see the sockets of all network namespaces. */
const volatile __u64 netns_cookie;

enum tale {
	TALE_LEARNED, /* a director told who the client is */
	TALE_TOLD, /* and a socket has it */
	TALE_NOT_FROM_DIRECTOR, /* somebody else did: not believed */
	TALES,
};

/* A connection as the real server's stack has it. */
struct connection {
	struct address local;
	struct address remote;
	__be16 local_port;
	__be16 remote_port;
};

struct client {
	struct address address;
	__be16 port;
	__u16 unused;
};

struct prefix {
	__u32 length; /* in bits */
	struct address address;
};

/* No map mentions it: this brings it into the BTF. */
const volatile struct {
	enum tale tale;
} vocabulary;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct prefix);
	__type(value, __u32);
} directors SEC(".maps");

/* Of connections that are not established yet. A flood of them pushes the oldest out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct connection);
	__type(value, struct client);
} learned SEC(".maps");

/* Goes with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct client);
} clients SEC(".maps");

/* enum tale to its count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TALES);
	__type(key, __u32);
	__type(value, __u64);
} tales SEC(".maps");

static __always_inline void count(enum tale tale)
{
	__u32 key = tale;
	__u64 *times = bpf_map_lookup_elem(&tales, &key);

	if (times)
		(*times)++;
}

static __always_inline struct address mapped(__be32 four)
{
	return (struct address){.word = {0, 0, MAPPED, four}};
}

/* Where TCP starts, and the two addresses; 0: it is no TCP packet that has ports. */
static __always_inline __u32 parse_ip(struct __sk_buff *skb, struct connection *connection)
{
	union {
		struct iphdr four;
		struct ipv6hdr six;
	} ip;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip.four, sizeof(ip.four)) || ip.four.protocol != IPPROTO_TCP ||
		    ip.four.frag_off & bpf_htons(IP_OFFSET))
			return 0;
		connection->remote = mapped(ip.four.saddr);
		connection->local = mapped(ip.four.daddr);
		return ETH_HLEN + ip.four.ihl * 4;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip.six, sizeof(ip.six)) ||
	    ip.six.nexthdr != IPPROTO_TCP)
		return 0;
	__builtin_memcpy(&connection->remote, &ip.six.saddr, sizeof(connection->remote));
	__builtin_memcpy(&connection->local, &ip.six.daddr, sizeof(connection->local));
	return ETH_HLEN + sizeof(ip.six);
}

/* The option, if it is the first one. A director's family is its client's. */
static __always_inline bool parse_option(struct __sk_buff *skb, __u32 at, bool is_six, struct client *client)
{
	struct toa toa;
	__be32 four;

	if (bpf_skb_load_bytes(skb, at, &toa, sizeof(toa)) || toa.kind != TOA_KIND ||
	    toa.length != (is_six ? TOA_LENGTH_6 : TOA_LENGTH_4))
		return false;
	client->port = toa.port;
	if (is_six)
		return !bpf_skb_load_bytes(skb, at + sizeof(toa), &client->address, sizeof(client->address));
	if (bpf_skb_load_bytes(skb, at + sizeof(toa), &four, sizeof(four)))
		return false;
	client->address = mapped(four);
	return true;
}

static __always_inline bool is_director(const struct address *address)
{
	struct prefix prefix = {.length = 128, .address = *address};

	return bpf_map_lookup_elem(&directors, &prefix);
}

SEC("tc")
int client_learn(struct __sk_buff *skb)
{
	bool is_six = skb->protocol == bpf_htons(ETH_P_IPV6);
	struct connection connection = {};
	struct client client = {};
	struct tcphdr tcp;
	__u32 l4;

	if (skb->pkt_type != PACKET_HOST)
		return TC_ACT_UNSPEC;
	l4 = parse_ip(skb, &connection);
	if (!l4 || bpf_skb_load_bytes(skb, l4, &tcp, sizeof(tcp)))
		return TC_ACT_UNSPEC;
	if (tcp.doff * 4 < sizeof(tcp) + (is_six ? TOA_LENGTH_6 : TOA_LENGTH_4) || tcp.rst ||
	    !parse_option(skb, l4 + sizeof(tcp), is_six, &client))
		return TC_ACT_UNSPEC;
	if (!is_director(&connection.remote)) {
		count(TALE_NOT_FROM_DIRECTOR);
		return TC_ACT_UNSPEC;
	}
	connection.remote_port = tcp.source;
	connection.local_port = tcp.dest;
	bpf_map_update_elem(&learned, &connection, &client, BPF_ANY);
	count(TALE_LEARNED);
	return TC_ACT_UNSPEC;
}

static __always_inline struct connection connection_of(struct bpf_sock_ops *ops)
{
	struct connection connection = {
		.local_port = bpf_htons((__u16)ops->local_port),
		.remote_port = bpf_htons((__u16)bpf_ntohl(ops->remote_port)),
	};

	if (ops->family == AF_INET) {
		__be32 local = ops->local_ip4, remote = ops->remote_ip4;

		asm volatile(""
			     : "+r"(local),
			       "+r"(remote)); /* or clang computes an address in ops, which the verifier refuses */
		connection.local = mapped(local);
		connection.remote = mapped(remote);
		return connection;
	}
	/* By words: the kernel rewrites each access by itself. */
	connection.local.word[0] = ops->local_ip6[0];
	connection.local.word[1] = ops->local_ip6[1];
	connection.local.word[2] = ops->local_ip6[2];
	connection.local.word[3] = ops->local_ip6[3];
	connection.remote.word[0] = ops->remote_ip6[0];
	connection.remote.word[1] = ops->remote_ip6[1];
	connection.remote.word[2] = ops->remote_ip6[2];
	connection.remote.word[3] = ops->remote_ip6[3];
	return connection;
}

/* Comes before accept() can return the socket, which is locked until then. */
SEC("sockops")
int client_establish(struct bpf_sock_ops *ops)
{
	struct connection connection;
	struct client *client, *kept;
	struct bpf_sock *sk;

	if (ops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB || bpf_get_netns_cookie(ops) != netns_cookie)
		return 1;
	connection = connection_of(ops);
	client = bpf_map_lookup_elem(&learned, &connection);
	sk = ops->sk;
	if (!client || !sk)
		return 1;
	kept = bpf_sk_storage_get(&clients, sk, client, BPF_SK_STORAGE_GET_F_CREATE);
	if (kept)
		count(TALE_TOLD);
	bpf_map_delete_elem(&learned, &connection);
	return 1;
}

static __always_inline struct client *client_of(struct bpf_sock_addr *peer)
{
	struct bpf_sock *sk = peer->sk;

	return sk ? bpf_sk_storage_get(&clients, sk, NULL, 0) : NULL;
}

SEC("cgroup/getpeername4")
int client_tell_four(struct bpf_sock_addr *peer)
{
	struct client *client = client_of(peer);

	if (client && client->address.word[2] == MAPPED) {
		peer->user_ip4 = client->address.word[3];
		peer->user_port = client->port;
	}
	return 1;
}

SEC("cgroup/getpeername6")
int client_tell_six(struct bpf_sock_addr *peer)
{
	struct client *client = client_of(peer);

	if (client) {
		peer->user_ip6[0] = client->address.word[0];
		peer->user_ip6[1] = client->address.word[1];
		peer->user_ip6[2] = client->address.word[2];
		peer->user_ip6[3] = client->address.word[3];
		peer->user_port = client->port;
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
