// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A real server of LVS-FULLNAT whose programs see the client, unmodified: what a director tells by the options TOA and UOA is what
 * accept(), getpeername() and recvmsg() answer. UDP's part is in client_datagram.h.
 *
 *   learn       TC ingress: a connection's option, if a director sent it -> learned, datagram_clients
 *   establish   a TCP connection is established: what was learned of it -> its socket
 *   tell_four, tell_six   who the peer of a socket is
 *
 * Addresses are IPv6's everywhere; IPv4's are mapped (::ffff:a.b.c.d), as sockets that take both know them.
 */
#include "client.h"
#include "client_datagram.h"

#define PACKET_HOST 0
#define IP_OFFSET 0x1fff
#define IP_MORE_FRAGMENTS 0x2000

/* Of TCP connections that are not established yet. A flood of them pushes the oldest out. */
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

/* Where a packet tells what. */
struct place {
	__u32 l4;
	__u32 fixed; /* behind IP's header without options and extensions */
	__u8 protocol;
	bool is_cut; /* the first of several fragments */
};

/* And the two addresses. False: no packet that has ports, or could have a header in front of them. */
static __always_inline bool parse_ip(struct __sk_buff *skb, struct connection *connection, struct place *place)
{
	union {
		struct iphdr four;
		struct ipv6hdr six;
	} ip;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip.four, sizeof(ip.four)) ||
		    ip.four.frag_off & bpf_htons(IP_OFFSET))
			return false;
		connection->remote = mapped(ip.four.saddr);
		connection->local = mapped(ip.four.daddr);
		place->protocol = ip.four.protocol;
		place->is_cut = ip.four.frag_off & bpf_htons(IP_MORE_FRAGMENTS);
		place->fixed = ETH_HLEN + sizeof(ip.four);
		place->l4 = ETH_HLEN + ip.four.ihl * 4;
		return true;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip.six, sizeof(ip.six)))
		return false;
	__builtin_memcpy(&connection->remote, &ip.six.saddr, sizeof(connection->remote));
	__builtin_memcpy(&connection->local, &ip.six.daddr, sizeof(connection->local));
	place->protocol = ip.six.nexthdr;
	place->l4 = place->fixed = ETH_HLEN + sizeof(ip.six);
	return true;
}

static __always_inline __u32 option_length(bool is_six)
{
	return is_six ? TOA_LENGTH_6 : TOA_LENGTH_4;
}

/* The option, if it is the first one. A director's family is its client's. */
static __always_inline bool parse_option(struct __sk_buff *skb, __u32 at, __u8 kind, bool is_six, struct client *client)
{
	struct toa toa;
	__be32 four;

	if (bpf_skb_load_bytes(skb, at, &toa, sizeof(toa)) || toa.kind != kind || toa.length != option_length(is_six))
		return false;
	client->port = toa.port;
	if (is_six)
		return !bpf_skb_load_bytes(skb, at + sizeof(toa), &client->address, sizeof(client->address));
	if (bpf_skb_load_bytes(skb, at + sizeof(toa), &four, sizeof(four)))
		return false;
	client->address = mapped(four);
	return true;
}

static __always_inline bool is_believed(const struct connection *connection)
{
	if (is_director(&connection->remote))
		return true;
	count(TALE_NOT_FROM_DIRECTOR);
	return false;
}

static __always_inline void learn_connection(struct __sk_buff *skb, const struct place *place, bool is_six,
					     struct connection *connection)
{
	struct client client = {};
	struct tcphdr tcp;

	if (bpf_skb_load_bytes(skb, place->l4, &tcp, sizeof(tcp)) || tcp.rst)
		return;
	connection->remote_port = tcp.source;
	connection->local_port = tcp.dest;
	if (tcp.doff * 4 < sizeof(tcp) + option_length(is_six) ||
	    !parse_option(skb, place->l4 + sizeof(tcp), TOA_KIND, is_six, &client)) {
		/* It had no room: what is remembered is of another connection, which never was established. */
		if (tcp.syn && !tcp.ack)
			bpf_map_delete_elem(&learned, connection);
		return;
	}
	if (!is_believed(connection))
		return;
	bpf_map_update_elem(&learned, connection, &client, BPF_ANY);
	count(TALE_LEARNED);
}

/* `option`, `udp`: where these are. */
static __always_inline bool learn_by_option(struct __sk_buff *skb, __u32 option, __u32 udp, bool is_six,
					    struct connection *connection)
{
	struct client client = {};
	struct udphdr header;

	if (!parse_option(skb, option, UOA_KIND, is_six, &client) ||
	    bpf_skb_load_bytes(skb, udp, &header, sizeof(header)) || !is_believed(connection))
		return false;
	connection->remote_port = header.source;
	connection->local_port = header.dest;
	learn_datagram(connection, &client);
	return true;
}

/* What nobody takes off the stack does not know. Of a fragment it can't be taken: the others would not fit behind it any more. */
static __always_inline void learn_by_header(struct __sk_buff *skb, const struct place *place, bool is_six,
					    struct connection *connection)
{
	__u32 option = place->fixed + sizeof(struct uoa_header),
	      size = sizeof(struct uoa_header) + option_length(is_six);
	struct uoa_header header;

	if (place->is_cut || place->l4 != place->fixed ||
	    bpf_skb_load_bytes(skb, place->fixed, &header, sizeof(header)) ||
	    header.version != (is_six ? UOA_VERSION_6 : UOA_VERSION_4) || header.protocol != IPPROTO_UDP ||
	    header.length != bpf_htons(size))
		return;
	if (learn_by_option(skb, option, place->fixed + size, is_six, connection))
		take_header_off(skb, is_six, size);
}

static __always_inline void see_datagram(struct __sk_buff *skb, const struct place *place, bool is_six,
					 struct connection *connection)
{
	struct udphdr header;

	if (place->l4 >= place->fixed + TOA_LENGTH_4 &&
	    learn_by_option(skb, place->fixed, place->l4, is_six, connection))
		return;
	if (bpf_skb_load_bytes(skb, place->l4, &header, sizeof(header)))
		return;
	connection->remote_port = header.source;
	connection->local_port = header.dest;
	note_datagram(connection);
}

static __always_inline void learn(struct __sk_buff *skb, bool is_six)
{
	struct connection connection = {};
	struct place place = {};

	if (!parse_ip(skb, &connection, &place))
		return;
	if (place.protocol == IPPROTO_TCP)
		learn_connection(skb, &place, is_six, &connection);
	else if (place.protocol == IPPROTO_UDP)
		see_datagram(skb, &place, is_six, &connection);
	else if (place.protocol == UOA_PROTOCOL)
		learn_by_header(skb, &place, is_six, &connection);
}

SEC("tc")
int client_learn(struct __sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST)
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		learn(skb, true);
	else
		learn(skb, false);
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

/* Of a TCP socket. */
static __always_inline struct client *client_of(struct bpf_sock_addr *peer)
{
	struct bpf_sock *sk = peer->sk;

	return sk ? bpf_sk_storage_get(&clients, sk, NULL, 0) : NULL;
}

SEC("cgroup/getpeername4")
int client_tell_four(struct bpf_sock_addr *peer)
{
	struct client *client = client_of(peer);

	if (client && is_mapped(&client->address)) {
		peer->user_ip4 = client->address.word[3];
		peer->user_port = client->port;
	} else if (is_ours(peer)) {
		show_client_four(peer);
	}
	return 1;
}

SEC("cgroup/getpeername6")
int client_tell_six(struct bpf_sock_addr *peer)
{
	struct client *client = client_of(peer);

	if (client) {
		write_six(peer, &client->address);
		peer->user_port = client->port;
	} else if (is_ours(peer)) {
		show_client_six(peer);
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
