/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ICMP errors about packets of connections, as ip_vs_in_icmp and ip_vs_out_icmp treat them: the packet that is quoted, turned
 * round, finds the entry. Only in TC, to which XDP leaves these packets.
 *
 * masq and fullnat translate the message and the packet quoted in it, but not that one's layer 4 checksum, whose bytes may be cut
 * off. gate and tunnel forward the message to the connection's real server. What is about no connection's packet may be about one of
 * our own tunnels', which is for unwrap.h.
 */
#pragma once

#include "icmp.h"

struct icmp_error {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 mtu; /* ICMP: only its second half */
};

/* A packet quoted in another; IPv4's addresses take the first word, the others stay 0. */
struct quote {
	struct addresses addresses;
	__u64 ports; /* of the connection; AH's and ESP's are told by ike.h */
	__u32 offset; /* from the start of the outermost IP header */
	__u32 header; /* bytes, with extensions */
	__u16 check; /* IPv4 */
	__u8 protocol;
	__u8 has_ports;
	__u8 dont_fragment;
	__u8 tos;
};

static __always_inline bool read_quote_four(struct __sk_buff *skb, __u32 at, struct quote *quote)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return false;
	if (ip.version != 4 || ip.ihl < 5 || ip.frag_off & bpf_htons(IP_OFFSET))
		return false;
	quote->addresses.word[0] = *(__u64 *)&ip.saddr;
	quote->header = ip.ihl * 4;
	quote->check = ip.check;
	quote->protocol = ip.protocol;
	quote->dont_fragment = !!(ip.frag_off & bpf_htons(IP_DONT_FRAGMENT));
	quote->tos = ip.tos;
	return true;
}

static __always_inline bool read_quote_six(struct __sk_buff *skb, __u32 at, struct quote *quote)
{
	__u32 header = sizeof(struct ipv6hdr);
	struct fragment_header extension;
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.version != 6)
		return false;
	__builtin_memcpy(&quote->addresses, &ip.saddr, sizeof(quote->addresses));
	quote->protocol = ip.nexthdr;
	quote->dont_fragment = 1;
	quote->tos = bpf_ntohl(*(__be32 *)&ip) >> 20;
	for (int i = 0; i <= EXTENSIONS_MOST; i++) {
		__u8 next = quote->protocol;

		quote->header = header;
		if (!is_extension(next) && next != IPPROTO_FRAGMENT)
			return true;
		if (bpf_skb_load_bytes(skb, at + header, &extension, sizeof(extension)))
			return false;
		if (next == IPPROTO_FRAGMENT && extension.offset & bpf_htons(SIX_OFFSET))
			return false;
		quote->protocol = extension.next;
		header += next == IPPROTO_FRAGMENT ? sizeof(extension) : (extension.reserved + 1) * 8;
		if (header > HEADERS_SIX_MOST)
			return false;
	}
	return false;
}

/* False when it is cut too short to tell its connection. `length`: of the outermost packet. */
static __always_inline bool read_quote(struct __sk_buff *skb, enum family family, __u32 l3, __u32 offset, __u32 length,
				       struct quote *quote)
{
	__u32 ports;

	quote->offset = offset;
	if (offset + (family == FAMILY_4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) > length)
		return false;
	if (!(family == FAMILY_4 ? read_quote_four(skb, l3 + offset, quote) : read_quote_six(skb, l3 + offset, quote)))
		return false;
	quote->has_ports =
		quote->protocol == IPPROTO_TCP || quote->protocol == IPPROTO_UDP || quote->protocol == IPPROTO_SCTP;
	if (!quote->has_ports)
		return true;
	offset += quote->header;
	if (offset + sizeof(ports) > length || bpf_skb_load_bytes(skb, l3 + offset, &ports, sizeof(ports)))
		return false;
	quote->ports = ports | (__u64)quote->protocol << 32;
	return true;
}

static __always_inline bool has_own_connection(const struct quote *quote)
{
	return quote->has_ports || quote->protocol == IPPROTO_ESP || quote->protocol == IPPROTO_AH;
}

/* -- translating -- */

/* What stands in a message, and what it becomes. In a map, for the stack. */
struct message {
	struct packet packet;
	struct quote quote;
	struct icmp_error error;
	__u32 l3; /* where IP starts while the tags are on */
	struct addresses turned; /* of the quote: the entry's key */
	struct addresses ends; /* the message's new addresses */
	struct addresses quoted; /* and the quote's */
	__u32 quoted_ports;
	__u16 checksum;
	__u8 is_own; /* an end of the connection is the director itself: the message does not age */
	__u16 ends_added; /* what the changes add to checksums */
	__u16 quoted_added;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct message);
} messages SEC(".maps");

static __always_inline struct message *current_message(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&messages, &zero);
}

static __always_inline long rewrite_outer(struct __sk_buff *skb, enum family family, struct message *message)
{
	__u8 hop_limit = message->packet.ttl - !message->is_own;
	struct iphdr ip;

	if (family == FAMILY_6)
		return bpf_skb_store_bytes(skb, L3 + offsetof(struct ipv6hdr, hop_limit), &hop_limit, sizeof(hop_limit),
					   BPF_F_RECOMPUTE_CSUM) ||
		       bpf_skb_store_bytes(skb, L3 + offsetof(struct ipv6hdr, saddr), &message->ends,
					   sizeof(message->ends), BPF_F_RECOMPUTE_CSUM);
	if (bpf_skb_load_bytes(skb, L3, &ip, sizeof(ip)))
		return -1;
	if (message->is_own)
		ip.check = corrected(ip.check, message->ends_added);
	else
		decrease_ttl(&ip, message->ends_added);
	*(__u64 *)&ip.saddr = message->ends.word[0]; /* and daddr */
	return bpf_skb_store_bytes(skb, L3, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline long rewrite_quote(struct __sk_buff *skb, enum family family, struct message *message)
{
	const struct quote *quote = &message->quote;
	__u16 check = corrected(quote->check, message->quoted_added);
	__u32 at = L3 + quote->offset;
	long error;

	if (family == FAMILY_4)
		error = bpf_skb_store_bytes(skb, at + offsetof(struct iphdr, check), &check, sizeof(check),
					    BPF_F_RECOMPUTE_CSUM) ||
			bpf_skb_store_bytes(skb, at + offsetof(struct iphdr, saddr), &message->quoted, sizeof(__u64),
					    BPF_F_RECOMPUTE_CSUM);
	else
		error = bpf_skb_store_bytes(skb, at + offsetof(struct ipv6hdr, saddr), &message->quoted,
					    sizeof(message->quoted), BPF_F_RECOMPUTE_CSUM);
	if (error || !quote->has_ports)
		return error;
	return bpf_skb_store_bytes(skb, at + quote->header, &message->quoted_ports, sizeof(message->quoted_ports),
				   BPF_F_RECOMPUTE_CSUM);
}

static __always_inline long rewrite(struct __sk_buff *skb, enum family family)
{
	struct message *message = current_message();

	if (!message)
		return -1;
	return rewrite_outer(skb, family, message) || rewrite_quote(skb, family, message) ||
	       bpf_skb_store_bytes(skb, message->packet.l4 + offsetof(struct icmp_error, checksum), &message->checksum,
				   sizeof(message->checksum), BPF_F_RECOMPUTE_CSUM);
}

/* Functions of their own, for the stack. */
__noinline int rewrite_four(struct __sk_buff *skb)
{
	return rewrite(skb, FAMILY_4);
}

__noinline int rewrite_six(struct __sk_buff *skb)
{
	return rewrite(skb, FAMILY_6);
}

/* Who sends the translated message: whoever tells the real server of masq keeps its address, for it may be a router. */
static __always_inline void set_ends(enum family family, struct message *message, const struct walk *walk)
{
	const struct flow *flow = walk->flow;

	message->ends = walk->new_addresses;
	if (family == FAMILY_4) {
		if ((__u32)flow->addresses == (__u32)walk->new_addresses.word[0])
			message->ends.word[0] = (walk->new_addresses.word[0] & ~0xffffffffULL) |
						(__u32)message->packet.addresses.word[0];
	} else if (flow->six.addresses.word[0] == walk->new_addresses.word[0] &&
		   flow->six.addresses.word[1] == walk->new_addresses.word[1]) {
		message->ends.word[0] = message->packet.addresses.word[0];
		message->ends.word[1] = message->packet.addresses.word[1];
	}
	message->ends_added = fold(address_difference(&message->packet.addresses, &message->ends));
}

/*
 * The tags are off. What is quoted was sent the other way: its addresses and ports become those that the entry gives, turned
 * round. In ICMP's checksum they keep their sum, addresses and header checksum together, but the ports do not; ICMPv6 sums all
 * addresses, those of the message's own header too.
 */
static __always_inline enum verdict translate_related(struct __sk_buff *skb, enum family family, struct walk *walk,
						      struct message *message, bool is_up)
{
	__u16 ports_added;

	if (!walk->flow || (family == FAMILY_6 && !walk->extension) || walk->new_family != family)
		return drop(HOOK_TC, REASON_MALFORMED);
	set_ends(family, message, walk);
	message->quoted = swapped(family, &walk->new_addresses);
	message->quoted_ports = swap_ports(walk->new_ports);
	message->quoted_added =
		family == FAMILY_4 ? walk->flow->address_difference : walk->extension->new.address_difference;
	ports_added = family == FAMILY_4 ? walk->flow->port_difference : walk->extension->new.port_difference;
	message->checksum = message->error.checksum;
	if (message->quote.has_ports)
		message->checksum = corrected(message->checksum, ports_added);
	if (family == FAMILY_6)
		message->checksum = corrected(message->checksum, (__u32)message->quoted_added + message->ends_added);
	if (family == FAMILY_4 ? rewrite_four(skb) : rewrite_six(skb))
		return drop(HOOK_TC, REASON_MALFORMED);
	return is_up ? let_go(skb, walk) : send_tc(HOOK_TC, family, walk->way);
}

/* The way of a packet of masq or fullnat whose entry is known. `family`: of what it becomes. */
static __always_inline void find_way(void *ctx, enum hook hook, enum family family, struct walk *walk,
				     struct destination *destination)
{
	struct address client = target_of(family, &walk->new_addresses); /* of a reply */

	if (!walk->is_reply)
		way_to_destination(ctx, hook, family, destination, walk->now, walk->way);
	else if (!known_way_to_client(hook, family, &client, &walk->new_addresses, walk->now, walk->way))
		look_up_way_to_client(ctx, hook, family, &client, &walk->new_addresses, walk->now, walk->way);
}

static __always_inline enum verdict send_related(struct __sk_buff *skb, enum family family, struct walk *walk,
						 struct message *message, struct destination *destination)
{
	enum reason reason;
	bool is_up;

	find_way(skb, HOOK_TC, family, walk, destination);
	reason = obstacle(HOOK_TC, walk, tunnel_header(family));
	is_up = is_for_director(walk, reason);
	if (!walk->is_reply || reason == REASON_NONE || is_up) /* as any other packet */
		count_packet(walk->destination, walk->is_reply, walk->packet.length);
	/* Nobody is told about an ICMP error (RFC 1122, 3.2.2). */
	if (reason != REASON_NONE && !is_up)
		return drop(HOOK_TC, reason);
	if (is_up && !translates(walk->method))
		return VERDICT_PASS;
	message->is_own = is_up || is_on_its_way(skb, walk);
	if (!take_tags_off(skb, &walk->packet))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	if (translates_within(walk->method))
		return translate_related(skb, family, walk, message, is_up);
	return forward_whole(skb, HOOK_TC, family, walk, destination);
}

static __always_inline enum verdict forward_related(struct __sk_buff *skb, enum family family, struct walk *walk,
						    struct message *message)
{
	struct destination *destination;

	take_from(family, walk, walk->flow);
	destination = destination_at(walk->destination);
	if (!destination)
		return VERDICT_PASS;
	return is_handed_over(family, walk, destination) ? hand_over(HOOK_TC, walk, true)
							 : send_related(skb, family, walk, message, destination);
}

/*
 * The message's facts, once more, for rare.h has found them to hold; and those of the packet that it quotes, whose sender must be
 * who is told.
 */
static __always_inline bool read_message(struct __sk_buff *skb, enum family family)
{
	struct message *message = current_message();
	struct address teller, told;
	struct packet *packet;
	__u32 header, id;
	__be16 type;

	if (!message || bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type)))
		return false;
	__builtin_memset(message, 0, sizeof(*message));
	packet = &message->packet;
	message->l3 = type == bpf_htons(ETH_P_8021Q) ? L3 + 4 : L3;
	header = family == FAMILY_4 ? read_four(skb, false, message->l3, packet, &id)
				    : read_six(skb, false, message->l3, packet, &id);
	packet->segment = packet->length;
	packet->tagged = skb->vlan_present || message->l3 != L3;
	packet->l4 = L3 + header;
	if (!header || packet->length < header + sizeof(message->error) ||
	    bpf_skb_load_bytes(skb, message->l3 + header, &message->error, sizeof(message->error)) ||
	    !read_quote(skb, family, message->l3, header + sizeof(message->error), packet->length, &message->quote))
		return false;
	message->turned = swapped(family, &message->quote.addresses);
	teller = source_of(family, &message->quote.addresses);
	told = target_of(family, &packet->addresses);
	return is_same(family, &teller, &told);
}

__noinline int read_message_four(struct __sk_buff *skb)
{
	return read_message(skb, FAMILY_4);
}

__noinline int read_message_six(struct __sk_buff *skb)
{
	return read_message(skb, FAMILY_6);
}

static __always_inline bool is_to_be_scheduled(void)
{
	struct settings *set = live_settings();

	return set && set->schedule_icmp;
}

/* The director's own stack is gate's or tunnel's real server, and refuses its client's packet. */
static __always_inline void count_own_error(enum family family, const struct message *message)
{
	struct flow *flow;
	__u32 slot;

	flow = find_flow(family, &message->quote.addresses, message->quote.ports, &slot);
	if (flow && flow_kind(flow->control) == FLOW_LIVE &&
	    direction_of(false, flow_method(flow->control)) == DIRECTION_IN_ONLY)
		count_packet(flow->destination, true, message->packet.length);
}

static __always_inline enum verdict walk_related(struct __sk_buff *skb, enum family family)
{
	struct message *message = current_message();
	struct walk walk = {.way = way_of(HOOK_TC, NULL)};

	if (!walk.way || !message || !(family == FAMILY_4 ? read_message_four(skb) : read_message_six(skb)))
		return VERDICT_PASS;
	walk.now = jiffies();
	walk.packet = message->packet;
	if (has_own_connection(&message->quote)) {
		if (!message->quote.has_ports)
			message->quote.ports = portless_ports(family, &message->turned, message->quote.protocol);
		walk.flow = find_flow(family, &message->turned, swap_ports(message->quote.ports), &walk.slot);
		if (walk.flow)
			return forward_related(skb, family, &walk, message);
		if (is_made_here(skb)) {
			count_own_error(family, message);
			return VERDICT_PASS;
		}
		if (message->quote.has_ports && is_to_be_scheduled())
			return VERDICT_OPEN;
	}
	return VERDICT_UNWRAP;
}

/* -- schedule_icmp: an error about a packet of no connection opens the one that it would belong to -- */

/* The error says nothing about the connection's state: CLOSE is what follows from a packet of which nothing is known. */
static __always_inline void forget_state(struct flow *flow)
{
	copy_state(partner_of(flow, flow->control), STATE_NONE);
	for (int i = 0; i < 4; i++) {
		__u64 life = READ_ONCE(flow->life);

		if (flow_kind(life) != FLOW_LIVE || flow_state(life) != STATE_CLOSE ||
		    __sync_val_compare_and_swap(&flow->life, life,
						life & ~((__u64)FLOW_STATE_MASK << FLOW_STATE_SHIFT)) == life)
			return;
	}
}

static __always_inline enum verdict open_related(struct __sk_buff *skb, enum family family)
{
	struct message *message = current_message();
	struct walk walk = {.way = way_of(HOOK_TC, NULL)};
	enum reason reason = REASON_NONE;
	enum verdict verdict;
	__u64 hash;

	if (!walk.way || !message)
		return VERDICT_PASS;
	walk.now = jiffies();
	walk.packet = message->packet;
	walk.packet.addresses = message->turned;
	walk.packet.ports = swap_ports(message->quote.ports);
	/* Of no other it is known what this packet was to its connection. */
	walk.packet.protocol = message->quote.protocol == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_RAW;
	hash = flow_hash(family, &walk.packet.addresses, walk.packet.ports);
	verdict = open_flow(skb, HOOK_TC, family, &walk, hash, &reason);
	if (reason == REASON_NO_DESTINATION)
		return drop(HOOK_TC, reason);
	if (verdict == VERDICT_ONE_PACKET)
		return VERDICT_PASS;
	if (verdict != VERDICT_NEXT) /* GUE is UDP too */
		return verdict == VERDICT_PASS ? VERDICT_UNWRAP : verdict;
	if (walk.method == METHOD_CROSS && !walk.flow)
		return hand_over(HOOK_TC, &walk, true);
	if (!walk.flow) /* without an entry only the connection's own packets can be followed */
		return drop(HOOK_TC, REASON_TABLE_FULL);
	if (walk.packet.protocol == IPPROTO_RAW)
		forget_state(walk.flow);
	return VERDICT_RELATED;
}
