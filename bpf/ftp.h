/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Control connections of FTP by masquerading (ip_vs_ftp.c): where the server tells the client where to come for data, its address
 * becomes the VIP, and an entry waits for the client; where the client tells the server where it waits, there is an entry by which
 * the server's connection leaves as the VIP's. When the text has become longer or shorter, all later sequence numbers are moved.
 * In a program of its own, at TC only.
 */
#pragma once

#include "ftp_text.h"
#include "open.h"
#include "session.h"

#define FTP_TRIES 2
#define OPTIONS_MOST 40
#define OPTION_SACK 5
#define SACK_WORDS 8

/* A packet of a control connection. In a map, for the stack. */
struct dialogue {
	struct tuple
		outer; /* the control connection as the client has it, from it to the VIP; ports: the lower 32 bits */
	struct tuple inner; /* and as the real server has it */
	__u32 is_reply;
	__u32 control; /* the control connection's slot */
	__u32 destination;
	__u32 now;
	__u32 total; /* the packet's length; answer: what has become of it */
	__u32 has_text; /* it may tell of data connections */
	__u32 l4;
	__u32 payload; /* where it starts, */
	__u32 length; /* and how long it is */
	__be32 sequence;
	__be32 acknowledged;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dialogue);
} dialogues SEC(".maps");

static __always_inline struct dialogue *current_dialogue(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dialogues, &zero);
}

/* -- entries for data connections -- */

static __always_inline __u64 tcp_ports(__u16 source, __u16 target)
{
	return source | (__u32)target << 16 | (__u64)IPPROTO_TCP << 32;
}

/* The port that the data of a service at this one come from. */
static __always_inline __u16 port_below(__u64 ports)
{
	return bpf_htons(bpf_ntohs(ports >> 16) - 1);
}

/* Who is told to come: the text has the client's address. */
static __always_inline struct address told_address(enum family family, const struct ftp_text *text)
{
	struct address told = {};

	if (family == FAMILY_4)
		__builtin_memcpy(told.word, text->number, 4);
	else
		__builtin_memcpy(told.word, text->group, 16);
	return told;
}

/* An entry that waits; one of before that has these ends gives way. */
static __always_inline int enter_waiting(struct new_flow *new)
{
	int result = NO_ROOM;

	for (int i = 0; i < FTP_TRIES; i++) {
		struct flow *flow;

		if (new->key.family == FAMILY_4)
			turn(FAMILY_4, &new->reply, &new->new);
		else
			turn(FAMILY_6, &new->reply, &new->new);
		result = insert_connection(new->key.family, new->key.family, new);
		flow = result == EXISTS ? flow_at(new->slot) : NULL;
		if (!flow)
			break;
		end_connection(new->slot, READ_ONCE(flow->life));
	}
	return result;
}

/* Remembers the data connection for its control connection's sake, or of an entry that waits whose it is. */
__noinline int note_data(__u32 hook, __u32 control, __u32 is_passive)
{
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	struct session fresh = {}, *session;
	__u32 slot = control;

	if (!opening)
		return 0;
	if (is_passive) {
		slot = opening->new.slot;
		fresh.control = control;
		return bpf_map_update_elem(&sessions, &slot, &fresh, BPF_ANY);
	}
	session = bpf_map_lookup_elem(&sessions, &slot);
	if (session)
		fresh = *session;
	fresh.data = opening->new.key;
	return bpf_map_update_elem(&sessions, &slot, &fresh, BPF_ANY);
}

/* What the text tells of becomes an entry. A function of its own, for the stack. */
__noinline int expect_data(__u32 family)
{
	__u32 hook = HOOK_TC;
	struct opening *opening = bpf_map_lookup_elem(&openings, &hook);
	const struct dialogue *dialogue = current_dialogue();
	const struct ftp_text *text = current_text();
	struct address client;
	struct new_flow *new;
	__u16 port;

	if (!opening || !dialogue || !text)
		return 0;
	asm volatile("" : "+r"(opening)); /* or clang adds before it compares, which the verifier refuses */
	port = bpf_htons(text->port);
	new = &opening->new;
	new->key = dialogue->outer;
	new->new = dialogue->inner;
	if (dialogue->is_reply) { /* the client will come, from no one knows which port */
		new->key.ports = tcp_ports(0, port);
		new->new.ports = tcp_ports(0, port);
	} else {
		client = told_address(family, text);
		set_source(&new->key, &client);
		set_source(&new->new, &client);
		new->key.ports = tcp_ports(port, port_below(new->key.ports));
		new->new.ports = tcp_ports(port, port_below(new->new.ports));
	}
	new->home = tuple_home(new->key.family, &new->key);
	new->destination = dialogue->destination;
	new->method = METHOD_MASQ;
	new->state = STATE_LISTEN;
	new->now = dialogue->now;
	new->has_reply = 1;
	new->controller = NO_SLOT;
	new->template_s = 0;
	new->own = 0;
	new->is_entered = 0;
	new->ftp = dialogue->is_reply ? FLOW_FTP : 0;
	if (enter_waiting(new) != INSERTED)
		return 0;
	note_data(hook, dialogue->control, dialogue->is_reply);
	return 1;
}

/* -- moving sequence numbers -- */

static __always_inline bool is_after(__u32 a, __u32 b)
{
	return (__s32)(b - a) < 0;
}

static __always_inline __u32 moved_by(const struct session *session, __u32 sequence)
{
	return is_after(sequence, session->position) ? session->after : session->before;
}

/* As the server counts what the client acknowledges. */
static __always_inline __u32 moved_back(const struct session *session, __u32 acknowledged)
{
	return acknowledged - moved_by(session, acknowledged - session->before);
}

static __always_inline bool replace_word(struct __sk_buff *skb, __u32 l4, __u32 offset, __be32 old, __be32 new)
{
	if (old == new)
		return true;
	return !bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), old, new, sizeof(new)) &&
	       !bpf_skb_store_bytes(skb, l4 + offset, &new, sizeof(new), 0);
}

struct sack_walk {
	struct ftp_text *text; /* whose `old` and `new` have the options */
	struct session *session;
	__u32 at;
	__u32 length;
};

/* One option. */
static long sack_step(__u32 index, void *context)
{
	struct sack_walk *walk = context;
	struct ftp_text *text = walk->text;
	__u32 at = walk->at, size;

	if (at + 1 >= walk->length)
		return 1;
	size = text->old[(at + 1) & (TEXT_MOST - 1)];
	switch (text->old[at & (TEXT_MOST - 1)]) {
	case 0:
		return 1;
	case 1:
		walk->at++;
		return 0;
	case OPTION_SACK:
		for (__u32 i = 0; i < SACK_WORDS; i++) {
			__u32 place = (at + 2 + i * 4) & (TEXT_MOST - 1);
			__be32 *word = (__be32 *)&text->new[place];

			if (6 + i * 4 > size || place + 4 > walk->length)
				break;
			*word = bpf_htonl(moved_back(walk->session, bpf_ntohl(*word)));
		}
		break;
	}
	walk->at += size;
	return size < 2;
}

/* What the client has of the server's beyond a gap. */
__noinline int move_sack(struct __sk_buff *skb, __u32 l4, __u32 length, __u32 control)
{
	struct session *session = bpf_map_lookup_elem(&sessions, &control);
	struct ftp_text *text = current_text();
	struct sack_walk walk = {.text = text, .session = session, .length = length};
	__u32 at = l4 + sizeof(struct tcphdr);
	__s64 difference;

	if (!session || !text || !length || length > OPTIONS_MOST)
		return 0;
	length = ((length - 1) & 63) + 1;
	if (bpf_skb_load_bytes(skb, at, text->old, length) || bpf_skb_load_bytes(skb, at, text->new, length))
		return -1;
	bpf_loop(OPTIONS_MOST, sack_step, &walk, 0);
	difference = bpf_csum_diff((__be32 *)text->old, length & ~3, (__be32 *)text->new, length & ~3, 0);
	if (difference < 0)
		return -1;
	if (bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), 0, difference, 0))
		return -1;
	return bpf_skb_store_bytes(skb, at, text->new, length, 0);
}

/* A packet of a control connection whose text was changed: its numbers. */
static __always_inline bool move_numbers(struct __sk_buff *skb, const struct dialogue *dialogue)
{
	__u32 control = dialogue->control, l4 = dialogue->l4, sequence, options;
	struct session *session = bpf_map_lookup_elem(&sessions, &control);

	if (!session || !(session->before | session->after))
		return true;
	if (dialogue->is_reply) {
		sequence = bpf_ntohl(dialogue->sequence);
		return replace_word(skb, l4, offsetof(struct tcphdr, seq), dialogue->sequence,
				    bpf_htonl(sequence + moved_by(session, sequence)));
	}
	sequence = moved_back(session, bpf_ntohl(dialogue->acknowledged));
	options = dialogue->payload - l4 - sizeof(struct tcphdr);
	if (options && move_sack(skb, l4, options, control))
		return false;
	return replace_word(skb, l4, offsetof(struct tcphdr, ack_seq), dialogue->acknowledged, bpf_htonl(sequence));
}

/* From this text on the server's numbers are moved by so much more (nf_ct_seqadj_set). */
__noinline int note_change(__u32 control, __u32 sequence, __u32 change)
{
	struct session fresh = {}, *session = bpf_map_lookup_elem(&sessions, &control);

	if (session)
		fresh = *session;
	if (fresh.before != fresh.after && !is_after(sequence, fresh.position))
		return 0; /* it came before */
	fresh.position = sequence;
	fresh.before = fresh.after;
	fresh.after += change;
	return bpf_map_update_elem(&sessions, &control, &fresh, BPF_ANY);
}

/* -- the text -- */

static __always_inline __u32 padded(__u32 length)
{
	return (length + 3) & ~3U & (2 * TEXT_MOST - 1);
}

/* What the line adds to the packet's sum. */
static __always_inline __s64 text_difference(struct ftp_text *text, __u32 length)
{
	__u32 old_size = padded(text->length), new_size = padded(length);
	__s64 removed;

	if (old_size > TEXT_MOST || new_size > TEXT_MOST)
		return -1;
	*(__u32 *)&text->old[text->length & (TEXT_MOST - 1)] = 0;
	*(__u32 *)&text->new[length & (TEXT_MOST - 1)] = 0;
	removed = bpf_csum_diff((__be32 *)text->old, old_size, NULL, 0, 0);
	return removed < 0 ? removed : bpf_csum_diff(NULL, 0, (__be32 *)text->new, new_size, removed);
}

/* IP's length, and where the transport's sum has it. */
static __always_inline bool set_length(struct __sk_buff *skb, enum family family, const struct dialogue *dialogue,
				       __u32 old, __u32 new)
{
	__u32 header = dialogue->l4 - L3, at = L3;
	__be16 was, is;

	if (family == FAMILY_4) {
		was = bpf_htons(old);
		is = bpf_htons(new);
		at += offsetof(struct iphdr, tot_len);
		if (bpf_l3_csum_replace(skb, L3 + offsetof(struct iphdr, check), was, is, sizeof(is)))
			return false;
	} else {
		was = bpf_htons(old - sizeof(struct ipv6hdr));
		is = bpf_htons(new - sizeof(struct ipv6hdr));
		at += offsetof(struct ipv6hdr, payload_len);
	}
	return !bpf_skb_store_bytes(skb, at, &is, sizeof(is), 0) &&
	       !bpf_l4_csum_replace(skb, dialogue->l4 + offsetof(struct tcphdr, check), bpf_htons(old - header),
				    bpf_htons(new - header), BPF_F_PSEUDO_HDR | sizeof(is));
}

/*
 * The line in `new` takes the old one's place. The packet is first made longer in any case, for then the kernel forgets what a
 * device summed up over all of it.
 */
static __always_inline bool put_text(struct __sk_buff *skb, enum family family, struct dialogue *dialogue,
				     struct ftp_text *text, __u32 length)
{
	__u32 total = dialogue->total - text->length + length, size;
	__s64 difference = text_difference(text, length);

	if (difference < 0 || !length || bpf_skb_change_tail(skb, skb->len + REPLACEMENT_MOST, 0) ||
	    bpf_skb_change_tail(skb, L3 + total, 0))
		return false;
	size = ((length - 1) & (TEXT_MOST - 1)) + 1;
	if (bpf_skb_store_bytes(skb, dialogue->payload, text->new, size, 0) ||
	    bpf_l4_csum_replace(skb, dialogue->l4 + offsetof(struct tcphdr, check), 0, difference, 0) ||
	    !set_length(skb, family, dialogue, dialogue->total, total))
		return false;
	dialogue->total = total;
	return true;
}

static __always_inline bool load_text(struct __sk_buff *skb, const struct dialogue *dialogue)
{
	struct ftp_text *text = current_text();
	__u32 size = dialogue->length - 1;

	if (!text || size >= TEXT_MOST)
		return false;
	asm volatile("" : "+r"(size));
	size = (size & (TEXT_MOST - 1)) + 1;
	return !bpf_skb_load_bytes(skb, dialogue->payload, text->old, size);
}

/* False: the packet can't be sent on; who sent it will repeat it. */
static __always_inline bool hear(struct __sk_buff *skb, enum family family, struct dialogue *dialogue)
{
	struct ftp_text *text = current_text();
	__u32 length;

	if (!text || !load_text(skb, dialogue) || !read_text(family, dialogue->is_reply, dialogue->length))
		return true;
	if (!expect_data(family))
		return false;
	if (!dialogue->is_reply)
		return true;
	length = make_text(dialogue->outer.addresses.word[0] >> 32);
	if (!length)
		return false;
	if (!text->is_changed)
		return true;
	if (length != text->length &&
	    note_change(dialogue->control, bpf_ntohl(dialogue->sequence), length - text->length))
		return false;
	return put_text(skb, family, dialogue, text, length);
}

/* Where TCP's parts are. False: nowhere. */
__noinline int find_payload(struct __sk_buff *skb)
{
	struct dialogue *dialogue = current_dialogue();
	struct tcphdr tcp;

	if (!dialogue || bpf_skb_load_bytes(skb, dialogue->l4, &tcp, sizeof(tcp)) || tcp.doff < 5)
		return 0;
	dialogue->sequence = tcp.seq;
	dialogue->acknowledged = tcp.ack_seq;
	dialogue->payload = dialogue->l4 + tcp.doff * 4;
	dialogue->length = dialogue->total + L3 - dialogue->payload;
	if (!dialogue->length)
		dialogue->has_text = 0;
	return dialogue->payload <= dialogue->total + L3;
}

static __always_inline void describe_dialogue(enum family family, const struct walk *walk, struct dialogue *dialogue)
{
	const struct packet *packet = &walk->packet;

	dialogue->is_reply = walk->is_reply;
	dialogue->control = walk->is_reply ? partner_of(walk->flow, walk->flow->control) : walk->slot;
	dialogue->destination = walk->destination;
	dialogue->now = walk->now;
	dialogue->total = packet->length;
	dialogue->l4 = packet->l4;
	dialogue->has_text = packet->segment == packet->length && flow_state(walk->flow->control) == STATE_ESTABLISHED;
	dialogue->outer.family = family;
	dialogue->inner.family = family;
	if (walk->is_reply) {
		dialogue->outer.addresses = swapped(family, &walk->new_addresses);
		dialogue->outer.ports = swap_ports(walk->new_ports);
		dialogue->inner.addresses = swapped(family, &packet->addresses);
		dialogue->inner.ports = swap_ports((__u32)packet->ports);
		return;
	}
	copy_addresses(family, &dialogue->outer.addresses, &packet->addresses);
	dialogue->outer.ports = (__u32)packet->ports;
	copy_addresses(family, &dialogue->inner.addresses, &walk->new_addresses);
	dialogue->inner.ports = walk->new_ports;
}

static __always_inline enum verdict go_on(void)
{
	__u32 zero = 0, *is_read = bpf_map_lookup_elem(&ftp_read, &zero);

	if (!is_read)
		return VERDICT_DROP;
	*is_read = 1;
	return VERDICT_FTP_READ;
}

static __always_inline enum verdict find_dialogue(struct __sk_buff *skb, enum family family, struct walk *walk)
{
	enum verdict verdict = parse(skb, HOOK_TC, family, &walk->packet);

	if (verdict != VERDICT_NEXT)
		return verdict;
	walk->now = jiffies();
	walk->flow = find_flow(family, &walk->packet.addresses, walk->packet.ports, &walk->slot);
	if (!walk->flow)
		return VERDICT_PASS;
	take_from(family, walk, walk->flow);
	return VERDICT_NEXT;
}

/*
 * A packet of a control connection, or of an entry that waits: it is read, made ready for who it is for, and then walks again as any
 * other's.
 */
static __always_inline enum verdict walk_ftp(struct __sk_buff *skb, enum family family)
{
	struct dialogue *dialogue = current_dialogue();
	struct walk walk = {};
	enum verdict verdict;

	verdict = find_dialogue(skb, family, &walk);
	if (verdict != VERDICT_NEXT || !dialogue)
		return verdict;
	if (walk.packet.rare)
		return go_on();
	describe_dialogue(family, &walk, dialogue);
	if (!take_tags_off(skb, &walk.packet))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	if (find_payload(skb) && !(move_numbers(skb, dialogue) && (!dialogue->has_text || hear(skb, family, dialogue))))
		return drop(HOOK_TC, REASON_ADJUST_FAILED);
	return go_on();
}
