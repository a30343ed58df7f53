// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The far end of LVS-TUN on a real server. At TC ingress it takes the client's packet out of the director's, whatever of IP in
 * IP, GRE and GUE it came by. What is left alone goes on to other filters and to the kernel's stack as it came. At TC egress it
 * tells clients to send no larger segments than the tunnel has room for.
 */
#include "fairlead.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#define AF_INET 2
#define AF_INET6 10
#define PACKET_HOST 0
#define CHECKSUM_PARTIAL 3
#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define ECN_MASK 3
#define ECN_CE 3

#define GRE_CHECKSUM 0x8000 /* the only flag that directors set */
#define GUE_OPTIONS \
	0x1f /* of the first byte: words of options; above them a version and a bit for control messages, both 0 */
#define GUE_PRIVATE 0x0001
#define GUE_REMOTE_CHECKSUM 0x80000000U

#define CHUNK 512 /* the most that bpf_csum_diff takes */
#define CHUNKS 20 /* beyond jumbo frames */
#define CROSSED 20 /* bytes by which an IPv6 header is longer than IPv4's */

#define LARGEST_SYN 256 /* bytes of a frame; what is longer carries data and is no SYN */
#define TCP_SYN 0x02 /* in the flags, which are byte 13 */
#define TCP_FLAGS 13
#define TCP_OPTIONS 40 /* bytes at the most */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2

/* Why a packet of a tunnel that came to this machine was not decapsulated. Numbers are never reused. */
enum refusal {
	REFUSAL_VIP_UNKNOWN, /* not for a VIP that was added for this kind of tunnel */
	REFUSAL_FRAGMENT, /* of the outer packet: only the first one holds the inner header */
	REFUSAL_TRUNCATED,
	REFUSAL_NOT_IP, /* what is inside */
	REFUSAL_TO_ANOTHER_HOST, /* this machine is its router, not its end */
	REFUSAL_CONGESTED, /* dropped, as a router marked it and its sender would not learn of it (RFC 6040) */
	REFUSAL_ADJUST_FAILED, /* the kernel would not take the header off */
	REFUSAL_UNKNOWN_OPTION, /* a GRE or GUE header that says more than this program knows */
	REFUSALS,
};

/* What is in `vips` beside enum tunnel's types: the ports of GUE, without a VIP. UDP to others is no tunnel. */
enum other_end {
	END_PORT = 255,
};

/* No map mentions the names: this brings them into the BTF. */
const volatile struct {
	enum refusal refusal;
	enum tunnel tunnel;
	enum other_end other_end;
} vocabulary;

/* What is taken: packets for one VIP by one kind of tunnel. */
struct tunnel_end {
	struct address vip;
	__u32 type; /* enum tunnel, or END_PORT */
	__be16 port; /* GUE */
	__u16 unused;
};

/* What was decapsulated, on one CPU. */
struct traffic {
	__u64 packets;
	__u64 bytes; /* of inner IP */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct tunnel_end);
	__type(value, struct traffic);
	__uint(max_entries, 4096);
} vips SEC(".maps");

/* enum refusal to its count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, REFUSALS);
} refusals SEC(".maps");

/* For a VIP that a SYN came for: how large a packet its tunnel has room for, by the interface that the SYN came in by. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct address);
	__type(value, __u32);
	__uint(max_entries, 4096);
} rooms SEC(".maps");

/* For a VIP: the largest packet that comes whole from its directors, as a person has told; without one, what interfaces take. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct address);
	__type(value, __u32);
	__uint(max_entries, 4096);
} path_mtus SEC(".maps");

/* Room that the stack has not. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u32[CHUNK / 4]);
	__uint(max_entries, 1);
} chunks SEC(".maps");

/* A packet on its way out of its tunnel. */
struct arrival {
	struct tunnel_end end;
	struct bpf_fib_lookup route;
	__u32 header; /* bytes before the packet inside */
	__u32 length; /* of that, as it says itself */
	__u16 start; /* remote checksum: from where in the packet inside, */
	__u16 place; /* and where to; 0: none */
	__u8 family; /* of the outer packet */
	__u8 inner_family;
	__u8 tos;
	__u8 inner_tos;
};

/* The part of the kernel's own structure that tells who finishes the checksum. */
struct sk_buff___partial {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

static __always_inline int refuse(enum refusal refusal)
{
	__u32 key = refusal;
	__u64 *count = bpf_map_lookup_elem(&refusals, &key);

	if (count)
		(*count)++;
	return refusal == REFUSAL_CONGESTED ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* -- reading: each returns TC_ACT_OK, or what refuse() does; TC_ACT_UNSPEC alone for what is no tunnel -- */

static __always_inline bool is_tunnel_protocol(__u8 protocol)
{
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE;
}

static __always_inline int read_outer_four(struct __sk_buff *skb, struct arrival *arrival, __u8 *protocol)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return TC_ACT_UNSPEC;
	if (ip.version != 4 || (!is_tunnel_protocol(ip.protocol) && ip.protocol != IPPROTO_UDP))
		return TC_ACT_UNSPEC;
	if (ip.frag_off & bpf_htons(IP_FRAGMENT))
		return ip.protocol == IPPROTO_UDP ? TC_ACT_UNSPEC : refuse(REFUSAL_FRAGMENT);
	arrival->header = ip.ihl * 4;
	if (arrival->header < sizeof(ip))
		return refuse(REFUSAL_TRUNCATED);
	*protocol = ip.protocol;
	arrival->tos = ip.tos;
	arrival->route.family = AF_INET;
	arrival->route.ipv4_src = ip.saddr;
	arrival->route.ipv4_dst = ip.daddr;
	return TC_ACT_OK;
}

static __always_inline int read_outer_six(struct __sk_buff *skb, struct arrival *arrival, __u8 *protocol)
{
	struct ipv6hdr ip;
	__u8 next;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.version != 6)
		return TC_ACT_UNSPEC;
	if (ip.nexthdr == IPPROTO_FRAGMENT && !bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), &next, sizeof(next)) &&
	    is_tunnel_protocol(next))
		return refuse(REFUSAL_FRAGMENT);
	if (!is_tunnel_protocol(ip.nexthdr) && ip.nexthdr != IPPROTO_UDP)
		return TC_ACT_UNSPEC;
	arrival->header = sizeof(ip);
	*protocol = ip.nexthdr;
	arrival->tos = bpf_ntohl(*(__be32 *)&ip) >> 20;
	arrival->route.family = AF_INET6;
	__builtin_memcpy(arrival->route.ipv6_src, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(arrival->route.ipv6_dst, &ip.daddr, sizeof(ip.daddr));
	return TC_ACT_OK;
}

/* RFC 2784. Its checksum is not looked at: what is inside has its own. */
static __always_inline int read_gre(struct __sk_buff *skb, struct arrival *arrival)
{
	__be16 words[2];

	if (bpf_skb_load_bytes(skb, ETH_HLEN + arrival->header, words, sizeof(words)))
		return refuse(REFUSAL_TRUNCATED);
	if (words[0] & ~bpf_htons(GRE_CHECKSUM))
		return refuse(REFUSAL_UNKNOWN_OPTION);
	if (words[1] != bpf_htons(ETH_P_IP) && words[1] != bpf_htons(ETH_P_IPV6))
		return refuse(REFUSAL_NOT_IP);
	arrival->end.type = TUNNEL_GRE;
	arrival->inner_family = words[1] == bpf_htons(ETH_P_IP) ? FAMILY_4 : FAMILY_6;
	arrival->header += words[0] ? 8 : 4;
	return TC_ACT_OK;
}

struct gue {
	__u8 first;
	__u8 protocol;
	__be16 flags;
};

struct gue_remote {
	__be32 flags;
	__be16 start;
	__be16 place;
};

/* draft-ietf-intarea-gue. The UDP checksum is not looked at: what is inside has its own. */
static __always_inline int read_gue(struct __sk_buff *skb, struct arrival *arrival)
{
	struct gue_remote remote;
	struct udphdr udp;
	struct gue gue;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + arrival->header, &udp, sizeof(udp)))
		return TC_ACT_UNSPEC;
	arrival->end.type = END_PORT;
	arrival->end.port = udp.dest;
	if (!bpf_map_lookup_elem(&vips, &arrival->end))
		return TC_ACT_UNSPEC;
	arrival->end.type = TUNNEL_GUE;
	arrival->header += sizeof(udp);
	if (bpf_skb_load_bytes(skb, ETH_HLEN + arrival->header, &gue, sizeof(gue)))
		return refuse(REFUSAL_TRUNCATED);
	arrival->header += sizeof(gue);
	if (gue.flags) {
		if (gue.flags != bpf_htons(GUE_PRIVATE) || gue.first != sizeof(remote) / 4)
			return refuse(REFUSAL_UNKNOWN_OPTION);
		if (bpf_skb_load_bytes(skb, ETH_HLEN + arrival->header, &remote, sizeof(remote)))
			return refuse(REFUSAL_TRUNCATED);
		if (remote.flags != bpf_htonl(GUE_REMOTE_CHECKSUM))
			return refuse(REFUSAL_UNKNOWN_OPTION);
		arrival->header += sizeof(remote);
		arrival->start = bpf_ntohs(remote.start);
		arrival->place = bpf_ntohs(remote.place);
	} else if (gue.first) {
		return refuse(REFUSAL_UNKNOWN_OPTION);
	}
	if (gue.protocol != IPPROTO_IPIP && gue.protocol != IPPROTO_IPV6)
		return refuse(REFUSAL_NOT_IP);
	arrival->inner_family = gue.protocol == IPPROTO_IPIP ? FAMILY_4 : FAMILY_6;
	return TC_ACT_OK;
}

static __always_inline int read_tunnel(struct __sk_buff *skb, struct arrival *arrival, __u8 protocol)
{
	if (protocol == IPPROTO_UDP)
		return read_gue(skb, arrival);
	if (protocol == IPPROTO_GRE)
		return read_gre(skb, arrival);
	arrival->inner_family = protocol == IPPROTO_IPIP ? FAMILY_4 : FAMILY_6;
	return TC_ACT_OK;
}

static __always_inline int read_inner_four(struct __sk_buff *skb, struct arrival *arrival)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + arrival->header, &ip, sizeof(ip)))
		return refuse(REFUSAL_TRUNCATED);
	if (ip.version != 4)
		return refuse(REFUSAL_NOT_IP);
	arrival->inner_tos = ip.tos;
	arrival->length = bpf_ntohs(ip.tot_len);
	arrival->end.vip.word[0] = ip.daddr;
	return TC_ACT_OK;
}

static __always_inline int read_inner_six(struct __sk_buff *skb, struct arrival *arrival)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + arrival->header, &ip, sizeof(ip)))
		return refuse(REFUSAL_TRUNCATED);
	if (ip.version != 6)
		return refuse(REFUSAL_NOT_IP);
	arrival->inner_tos = bpf_ntohl(*(__be32 *)&ip) >> 20;
	arrival->length = sizeof(ip) + bpf_ntohs(ip.payload_len);
	__builtin_memcpy(&arrival->end.vip, &ip.daddr, sizeof(ip.daddr));
	return TC_ACT_OK;
}

/*
 * The kernel forwards only what is for another host, and only where forwarding is on: a route for the outer packet means
 * that the tunnel ends elsewhere. An own address and no route at all answer alike.
 */
static __always_inline bool ends_here(struct __sk_buff *skb, struct arrival *arrival)
{
	long answer;

	arrival->route.ifindex = skb->ifindex;
	answer = bpf_fib_lookup(skb, &arrival->route, sizeof(arrival->route), BPF_FIB_LOOKUP_SKIP_NEIGH);
	return answer < 0 || answer == BPF_FIB_LKUP_RET_NOT_FWDED || answer == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* Where the TCP header of a SYN begins in a packet of either family, or 0. IPv6 with extension headers is left alone. */
static __always_inline __u32 find_syn(struct __sk_buff *skb, __u32 at, bool is_four)
{
	__u8 first, protocol, flags;

	if (bpf_skb_load_bytes(skb, at, &first, sizeof(first)))
		return 0;
	if (bpf_skb_load_bytes(skb,
			       at + (is_four ? offsetof(struct iphdr, protocol) : offsetof(struct ipv6hdr, nexthdr)),
			       &protocol, sizeof(protocol)))
		return 0;
	at += is_four ? (first & 0xf) * 4 : sizeof(struct ipv6hdr);
	if (protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, at + TCP_FLAGS, &flags, sizeof(flags)))
		return 0;
	return flags & TCP_SYN ? at : 0;
}

/* A client's SYN is about to be answered: what it came by is what the segments after it will come by. */
static __always_inline void note_room(struct __sk_buff *skb, const struct arrival *arrival)
{
	__u32 at = ETH_HLEN + arrival->header, mtu = 0, room, *known;

	if (skb->gso_size || skb->len > LARGEST_SYN || !find_syn(skb, at, arrival->inner_family == FAMILY_4))
		return;
	if (bpf_check_mtu(skb, 0, &mtu, 0, 0) < 0 || mtu <= arrival->header)
		return;
	known = bpf_map_lookup_elem(&path_mtus, &arrival->end.vip);
	if (known && *known < mtu)
		mtu = *known;
	room = mtu - arrival->header;
	known = bpf_map_lookup_elem(&rooms, &arrival->end.vip);
	if (!known || *known != room)
		bpf_map_update_elem(&rooms, &arrival->end.vip, &room, BPF_ANY);
}

/* -- changing: the header inside is in place of the outer one by now -- */

/* Header checksum and TOS change together: their sum stays what it was. */
static __always_inline void mark_congestion_four(struct __sk_buff *skb, __u8 before)
{
	__u8 tos = before | ECN_CE;

	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), bpf_htons(before), bpf_htons(tos), 2);
	bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, tos), &tos, sizeof(tos), 0);
}

/* The traffic class lies across the first two bytes. */
static __always_inline void mark_congestion_six(struct __sk_buff *skb)
{
	__u8 second;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + 1, &second, sizeof(second)))
		return;
	second |= ECN_CE << 4;
	bpf_skb_store_bytes(skb, ETH_HLEN + 1, &second, sizeof(second), BPF_F_RECOMPUTE_CSUM);
}

/* The folded sum of `length` bytes from `offset`, or -1. A function of its own, so that the verifier goes through it once. */
__noinline int sum_bytes(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__u32 zero = 0;
	__u32 *chunk = bpf_map_lookup_elem(&chunks, &zero);
	__s64 total = 0;

	if (!chunk)
		return -1;
	for (int i = 0; i < CHUNKS && length; i++) {
		__u32 size = length < CHUNK ? length : CHUNK, last = size - 1;

		/* The older verifier must be shown that the length is neither 0 nor beyond the buffer. */
		asm volatile("" : "+r"(last));
		last &= CHUNK - 1;
		chunk[last / 4] = 0;
		if (bpf_skb_load_bytes(skb, offset, chunk, last + 1))
			return -1;
		total = bpf_csum_diff(NULL, 0, chunk, (last & ~3U) + 4, total);
		offset += size;
		length -= size;
	}
	if (length)
		return -1;
	total = (total & 0xffff) + (total >> 16 & 0xffff);
	return (total & 0xffff) + (total >> 16);
}

/* What a device would have made of the checksum, had the director's not left it to this end. */
static __always_inline long finish_checksum(struct __sk_buff *skb, const struct arrival *arrival)
{
	struct sk_buff___partial *kernel_skb = (void *)skb;
	__u16 check;
	int sum;

	/* It never left this machine, and the kernel still knows. */
	if (BPF_CORE_READ_BITFIELD_PROBED(kernel_skb, ip_summed) == CHECKSUM_PARTIAL)
		return 0;
	sum = sum_bytes(skb, ETH_HLEN + arrival->start, arrival->length - arrival->start);
	if (sum < 0)
		return -1;
	check = ~sum;
	if (!check)
		check = 0xffff; /* the same to TCP; to UDP 0 is none */
	return bpf_skb_store_bytes(skb, ETH_HLEN + arrival->place, &check, sizeof(check), BPF_F_RECOMPUTE_CSUM);
}

/* FIXED_GSO: segments keep their size, for what they carry does not change. */
static __always_inline long take_header_off(struct __sk_buff *skb, const struct arrival *arrival)
{
	bool is_four = arrival->inner_family == FAMILY_4;
	__be16 type = bpf_htons(is_four ? ETH_P_IP : ETH_P_IPV6);
	__s32 length = arrival->header;

	/* This helper, meant for translation, is the one that tells the kernel of another family; and it changes the length. */
	if (arrival->family != arrival->inner_family) {
		if (bpf_skb_change_proto(skb, type, 0))
			return -1;
		length += is_four ? -CROSSED : CROSSED;
	}
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	if (arrival->family != arrival->inner_family)
		return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0);
	return 0;
}

static __always_inline bool can_finish_checksum(const struct arrival *arrival)
{
	return arrival->start <= arrival->place && arrival->place + sizeof(__u16) <= arrival->length &&
	       arrival->length <= CHUNKS * CHUNK;
}

static __always_inline int decapsulate(struct __sk_buff *skb, const struct arrival *arrival, struct traffic *traffic)
{
	bool is_congested = (arrival->tos & ECN_MASK) == ECN_CE;

	if (is_congested && (arrival->inner_tos & ECN_MASK) == 0)
		return refuse(REFUSAL_CONGESTED);
	if (take_header_off(skb, arrival))
		return refuse(REFUSAL_ADJUST_FAILED);
	if (arrival->place && !skb->gso_size && finish_checksum(skb, arrival))
		return refuse(REFUSAL_ADJUST_FAILED);
	if (is_congested && arrival->inner_family == FAMILY_4)
		mark_congestion_four(skb, arrival->inner_tos);
	else if (is_congested)
		mark_congestion_six(skb);
	traffic->packets++;
	traffic->bytes += skb->len - ETH_HLEN;
	return TC_ACT_OK;
}

/* A function of its own, so that what is no tunnel passes quickly. */
__noinline int take(struct __sk_buff *skb)
{
	bool is_four = skb->protocol == bpf_htons(ETH_P_IP);
	struct arrival arrival = {.family = is_four ? FAMILY_4 : FAMILY_6};
	struct traffic *traffic;
	__u8 protocol = 0;
	int answer;

	answer = is_four ? read_outer_four(skb, &arrival, &protocol) : read_outer_six(skb, &arrival, &protocol);
	if (answer != TC_ACT_OK)
		return answer;
	answer = read_tunnel(skb, &arrival, protocol);
	if (answer != TC_ACT_OK)
		return answer;
	answer = arrival.inner_family == FAMILY_4 ? read_inner_four(skb, &arrival) : read_inner_six(skb, &arrival);
	if (answer != TC_ACT_OK)
		return answer;
	/* A packet that is yet to be segmented has no lengths of its own. */
	if (!skb->gso_size && (ETH_HLEN + arrival.header + arrival.length > skb->len ||
			       (arrival.place && !can_finish_checksum(&arrival))))
		return refuse(REFUSAL_TRUNCATED);

	traffic = bpf_map_lookup_elem(&vips, &arrival.end);
	if (!traffic)
		return refuse(REFUSAL_VIP_UNKNOWN);
	if (!ends_here(skb, &arrival))
		return refuse(REFUSAL_TO_ANOTHER_HOST);
	note_room(skb, &arrival);
	return decapsulate(skb, &arrival, traffic);
}

/* The tag of a VLAN is beside the packet, not in it: the kernel has taken it out. */
SEC("tc")
int realserver_tc(struct __sk_buff *skb)
{
	bool is_four = skb->protocol == bpf_htons(ETH_P_IP);
	__u32 place = is_four ? offsetof(struct iphdr, protocol) : offsetof(struct ipv6hdr, nexthdr);
	__u8 protocol;

	if (skb->pkt_type != PACKET_HOST || (!is_four && skb->protocol != bpf_htons(ETH_P_IPV6)))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + place, &protocol, sizeof(protocol)))
		return TC_ACT_UNSPEC;
	if (!is_tunnel_protocol(protocol) && protocol != IPPROTO_UDP && protocol != IPPROTO_FRAGMENT)
		return TC_ACT_UNSPEC;
	return take(skb);
}

/* -- the answer to a SYN, on its way out -- */

/* Where the option for the largest segment is among so many bytes of options, or -1. */
static __always_inline int find_mss(const __u8 *options, __u32 length)
{
	__u32 at = 0;

	for (int i = 0; i < TCP_OPTIONS; i++) {
		if (at + 4 > length || at + 4 > TCP_OPTIONS)
			return -1;
		switch (options[at]) {
		case OPTION_END:
			return -1;
		case OPTION_NOP:
			at++;
			continue;
		case OPTION_MSS:
			return options[at + 1] == 4 ? (int)at : -1;
		}
		if (options[at + 1] < 2)
			return -1;
		at += options[at + 1];
	}
	return -1;
}

/* A function of its own: of all that leaves only SYNs come here. `at`: of the TCP header. */
__noinline int bound_segments(struct __sk_buff *skb, __u32 at, __u32 largest)
{
	__u8 options[TCP_OPTIONS] = {}, offset;
	__be16 before, after;
	__u32 length, last;
	int place;

	if (bpf_skb_load_bytes(skb, at + 12, &offset, sizeof(offset)))
		return TC_ACT_UNSPEC;
	length = (offset >> 4) * 4;
	if (length <= sizeof(struct tcphdr))
		return TC_ACT_UNSPEC;
	length -= sizeof(struct tcphdr);
	last = length - 1;
	asm volatile("" : "+r"(last)); /* as in sum_bytes() */
	last &= 63;
	if (last >= TCP_OPTIONS || bpf_skb_load_bytes(skb, at + sizeof(struct tcphdr), options, last + 1))
		return TC_ACT_UNSPEC;
	place = find_mss(options, length);
	if (place < 0)
		return TC_ACT_UNSPEC;
	at += sizeof(struct tcphdr) + place + 2;
	if (bpf_skb_load_bytes(skb, at, &before, sizeof(before)) || bpf_ntohs(before) <= largest)
		return TC_ACT_UNSPEC;
	after = bpf_htons(largest);
	/* An option begins at any byte, and sums are of pairs: an odd one counts with its bytes exchanged. */
	bpf_l4_csum_replace(skb, at - place - 2 - sizeof(struct tcphdr) + offsetof(struct tcphdr, check),
			    place & 1 ? bpf_ntohs(before) : before, place & 1 ? bpf_ntohs(after) : after,
			    sizeof(after));
	bpf_skb_store_bytes(skb, at, &after, sizeof(after), 0);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int realserver_out(struct __sk_buff *skb)
{
	bool is_four = skb->protocol == bpf_htons(ETH_P_IP);
	__u32 headers = sizeof(struct tcphdr) + (is_four ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct address vip = {};
	__u32 at, *room;

	if (skb->gso_size || skb->len > LARGEST_SYN || (!is_four && skb->protocol != bpf_htons(ETH_P_IPV6)))
		return TC_ACT_UNSPEC;
	at = find_syn(skb, ETH_HLEN, is_four);
	if (!at)
		return TC_ACT_UNSPEC;
	if (is_four ? bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, saddr), &vip, sizeof(__be32))
		    : bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), &vip, sizeof(vip)))
		return TC_ACT_UNSPEC;
	room = bpf_map_lookup_elem(&rooms, &vip);
	if (!room || *room <= headers)
		return TC_ACT_UNSPEC;
	return bound_segments(skb, at, *room - headers);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
