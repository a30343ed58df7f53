/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ICMP errors about packets of our own tunnels: what routers on the way to a real server tell. Each becomes a message about the
 * client's packet in the tunnel, and how large packets may be is remembered (ip_vs_in_icmp, for all tunnels and families).
 */
#pragma once

#include "related.h"
#include "wrap.h"

#define PATH_MTU_LIFE_S 600 /* net.ipv4.route.mtu_expires */
#define PATH_MTU_LEAST 552 /* net.ipv4.route.min_pmtu */
#define PATH_MTU_LEAST_SIX 1280
#define ICMP_HOST_UNREACH 1
#define ICMP6_ADDRESS_UNREACH 3

/* A tunnel's packet that is quoted. */
struct quoted_tunnel {
	__u32 type; /* enum tunnel */
	__be16 port; /* GUE */
	enum family inner;
	__u32 stripped; /* bytes of the message in front of what is inside */
};

static __always_inline bool read_gre_quote(struct __sk_buff *skb, __u32 l3, struct quoted_tunnel *tunnel)
{
	__be16 words[2];

	if (bpf_skb_load_bytes(skb, l3 + tunnel->stripped, words, sizeof(words)) ||
	    words[0] & ~bpf_htons(GRE_CHECKSUM) ||
	    (words[1] != bpf_htons(ETH_P_IP) && words[1] != bpf_htons(ETH_P_IPV6)))
		return false;
	tunnel->type = TUNNEL_GRE;
	tunnel->inner = words[1] == bpf_htons(ETH_P_IP) ? FAMILY_4 : FAMILY_6;
	tunnel->stripped += words[0] ? 8 : 4;
	return true;
}

static __always_inline bool read_gue_quote(struct __sk_buff *skb, __u32 l3, struct quoted_tunnel *tunnel)
{
	struct {
		struct udphdr udp;
		__u8 options; /* their words; with a version and a bit for control messages, both 0 */
		__u8 protocol;
		__be16 flags;
	} header;

	if (bpf_skb_load_bytes(skb, l3 + tunnel->stripped, &header, sizeof(header)) || header.options > 2 ||
	    (header.protocol != IPPROTO_IPIP && header.protocol != IPPROTO_IPV6))
		return false;
	tunnel->type = TUNNEL_GUE;
	tunnel->port = header.udp.dest;
	tunnel->inner = header.protocol == IPPROTO_IPIP ? FAMILY_4 : FAMILY_6;
	tunnel->stripped += sizeof(header) + header.options * 4;
	return true;
}

static __always_inline bool read_quoted_tunnel(struct __sk_buff *skb, const struct message *message,
					       struct quoted_tunnel *tunnel)
{
	const struct quote *outer = &message->quote;

	tunnel->type = TUNNEL_IPIP;
	tunnel->port = 0;
	tunnel->stripped = outer->offset + outer->header;
	switch (outer->protocol) {
	case IPPROTO_IPIP:
		tunnel->inner = FAMILY_4;
		return true;
	case IPPROTO_IPV6:
		tunnel->inner = FAMILY_6;
		return true;
	case IPPROTO_GRE:
		return read_gre_quote(skb, message->l3, tunnel);
	case IPPROTO_UDP:
		return read_gue_quote(skb, message->l3, tunnel);
	default:
		return false;
	}
}

/* Is it the tunnel that the destination's packets go by? */
static __always_inline bool is_own_tunnel(enum family family, const struct destination *destination,
					  const struct quoted_tunnel *tunnel, const struct quote *outer)
{
	struct address end = target_of(family, &outer->addresses);

	return destination->family == family && is_same(family, &destination->rip, &end) &&
	       (destination->tunnel & TUNNEL_TYPE_MASK) == tunnel->type &&
	       (tunnel->type != TUNNEL_GUE || destination->tunnel_port == tunnel->port);
}

static __always_inline bool is_checksum_right(struct __sk_buff *skb, enum family family, const struct message *message)
{
	const struct packet *packet = &message->packet;
	__u32 header = packet->l4 - L3, length = packet->length - header;
	__u64 sum;
	int own;

	if (length > CHUNKS * CHUNK)
		return false;
	own = sum_bytes(skb, message->l3 + header, length);
	if (own < 0)
		return false;
	sum = own;
	if (family == FAMILY_6) {
		sum += (__u64)bpf_htons(length) + bpf_htons(IPPROTO_ICMPV6);
		for (int i = 0; i < 4; i++)
			sum += (packet->addresses.word[i] & 0xffffffff) + (packet->addresses.word[i] >> 32);
	}
	return fold(sum) == 0xffff;
}

/* As the kernel's own routes learn: never more than is known, nor less than the least. Returns what is in force. */
static __always_inline __u32 learn_path_mtu(enum family family, struct destination *destination, __u32 mtu, __u32 now)
{
	__u32 least = family == FAMILY_4 ? PATH_MTU_LEAST : PATH_MTU_LEAST_SIX;
	struct next_hop *hop = &destination->next_hop;
	__u32 without_df = READ_ONCE(hop->mtu) & MTU_WITHOUT_DF, known = READ_ONCE(hop->mtu) & ~MTU_WITHOUT_DF;
	struct settings *set = live_settings();
	struct address rip = destination->rip;
	struct path_mtu told = {.mtu = mtu < least ? least : mtu};

	if (!set || (known && known <= told.mtu))
		return known;
	told.until = now + PATH_MTU_LIFE_S * set->hz;
	bpf_map_update_elem(&path_mtus, &rip, &told, BPF_ANY);
	WRITE_ONCE(hop->mtu, told.mtu | without_df);
	count_event(EVENT_PATH_MTU);
	return told.mtu;
}

static __always_inline bool is_too_big(enum family family, const struct icmp_error *error)
{
	return family == FAMILY_4 ? error->type == ICMP_DEST_UNREACH && error->code == ICMP_FRAG_NEEDED
				  : error->type == ICMP6_TOO_BIG;
}

/* What the client is told: the same, or in the words of its own family that the real server can't be reached (RFC 2473, 8). */
static __always_inline void choose_answer(enum family family, enum family inner, const struct icmp_error *error,
					  struct answer *answer)
{
	bool is_big = is_too_big(family, error);

	if (inner == family) {
		answer->type = error->type;
		answer->code = error->code;
	} else if (inner == FAMILY_4) {
		answer->type = ICMP_DEST_UNREACH;
		answer->code = is_big ? ICMP_FRAG_NEEDED : ICMP_HOST_UNREACH;
	} else {
		answer->type = is_big ? ICMP6_TOO_BIG : ICMP6_DEST_UNREACH;
		answer->code = is_big ? 0 : ICMP6_ADDRESS_UNREACH;
	}
}

/* What is in front of the client's packet comes off. */
static __always_inline long strip(struct __sk_buff *skb, enum family family, enum family inner, __s32 length)
{
	__be16 type = ether_type(inner);

	if (inner != family && bpf_skb_change_proto(skb, type, 0))
		return -1;
	if (bpf_skb_adjust_room(skb, -length - crossing(family, inner), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	if (inner != family)
		return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0);
	return 0;
}

static __always_inline enum verdict answer_from_tunnel(struct __sk_buff *skb, enum family family, enum family inner,
						       const struct message *message,
						       const struct quoted_tunnel *tunnel)
{
	struct walk walk = {.packet = message->packet, .now = jiffies()};
	__u32 length = walk.packet.length;
	struct answer *answer = current_answer();
	struct destination *destination;
	struct quote quote = {};

	if (!answer || !read_quote(skb, inner, message->l3, tunnel->stripped, length, &quote) ||
	    !has_own_connection(&quote))
		return VERDICT_PASS;
	if (!quote.has_ports)
		quote.ports = portless_ports(inner, &quote.addresses, quote.protocol);
	walk.flow = find_flow(inner, &quote.addresses, quote.ports, &walk.slot);
	if (!walk.flow)
		return VERDICT_PASS;
	take_from(inner, &walk, walk.flow);
	destination = destination_at(walk.destination);
	if (!destination || walk.is_reply || walk.method != METHOD_TUNNEL ||
	    !is_own_tunnel(family, destination, tunnel, &message->quote))
		return VERDICT_PASS;
	if (!is_checksum_right(skb, family, message))
		return drop(HOOK_TC, REASON_MALFORMED);
	count_packet(walk.destination, true, length);
	answer->mtu = 0;
	if (is_too_big(family, &message->error)) {
		__u32 mtu = bpf_ntohl(message->error.mtu);

		answer->mtu = learn_path_mtu(family, destination, family == FAMILY_4 ? mtu & 0xffff : mtu, walk.now) -
			      (tunnel->stripped - message->quote.offset);
		if (!quote.dont_fragment) {
			count_event(EVENT_TUNNEL_ERROR);
			return VERDICT_DROP;
		}
	}
	if (!take_tags_off(skb, &walk.packet) || strip(skb, family, inner, tunnel->stripped))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	answer->source = target_of(inner, &quote.addresses);
	walk.packet.addresses = quote.addresses;
	walk.packet.tos = quote.tos;
	walk.packet.length = length - tunnel->stripped;
	walk.packet.tagged = 0;
	answer->packet = walk.packet;
	answer->now = walk.now;
	answer->destination = NO_DESTINATION;
	answer->has_aged = 0;
	choose_answer(family, inner, &message->error, answer);
	return inner == family ? VERDICT_ANSWER : VERDICT_ANSWER_OTHER;
}

/* What read_message() found. */
static __always_inline enum verdict unwrap_message(struct __sk_buff *skb, enum family family)
{
	struct message *message = current_message();
	struct quoted_tunnel tunnel;

	if (!message || !read_quoted_tunnel(skb, message, &tunnel))
		return VERDICT_PASS;
	return tunnel.inner == FAMILY_4 ? answer_from_tunnel(skb, family, FAMILY_4, message, &tunnel)
					: answer_from_tunnel(skb, family, FAMILY_6, message, &tunnel);
}
