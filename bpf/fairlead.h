/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every number and layout that the programs and user space share: user space reads them from BTF, never from a copy. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#define CACHE_LINE 64

/* skb->tc_index of what the host itself sends and is on its way to a real server already. */
#define OWN_WALKED 0xfa1e

/* An address of either family, in network order; IPv4 takes the first word, the others are 0. */
struct address {
	__u32 word[4];
};

enum family {
	FAMILY_4 = 4,
	FAMILY_6 = 6,
};

/* A packet's two addresses, as on the wire. IPv4: source | destination << 32, the other words are 0; IPv6: two words each, the source's first. */
struct addresses {
	__u64 word[4];
};

/* What tells connections apart. */
struct tuple {
	struct addresses addresses;
	__u64 ports; /* source | destination << 16 | protocol << 32, as on the wire */
	__u32 family; /* enum family */
	__u32 unused;
};

/* Forwarding methods, numbered as IPVS numbers its own (IP_VS_CONN_F_*); FULLNAT as DPVS does. */
enum method {
	METHOD_MASQ = 0,
	METHOD_TUNNEL = 2,
	METHOD_GATE = 3,
	METHOD_FULLNAT = 5,
	METHOD_CROSS = 6, /* of connections only: fullnat to a real server of the other family */
	METHOD_LENGTH_MASK = 3, /* under it those that leave packets longer or shorter are METHOD_TUNNEL */
};

enum scheduler {
	SCHEDULER_RR,
	SCHEDULER_WRR,
	SCHEDULER_LC,
	SCHEDULER_WLC,
	SCHEDULER_SED,
	SCHEDULER_NQ,
	SCHEDULER_SH,
	SCHEDULER_DH,
	SCHEDULER_LBLC,
	SCHEDULER_LBLCR,
	SCHEDULER_MH,
	SCHEDULER_FO,
	SCHEDULER_OVF,
	SCHEDULER_TWOS,
	SCHEDULER_NONE,
};

/* States of a connection: IP_VS_TCP_S_* in its order, UDP's, then IP_VS_SCTP_S_*, whose NONE is TCP's. They index the timeouts. */
enum flow_state {
	STATE_NONE,
	STATE_ESTABLISHED,
	STATE_SYN_SENT,
	STATE_SYN_RECV,
	STATE_FIN_WAIT,
	STATE_TIME_WAIT,
	STATE_CLOSE,
	STATE_CLOSE_WAIT,
	STATE_LAST_ACK,
	STATE_LISTEN,
	STATE_SYNACK,
	STATE_UDP,
	STATE_SCTP_INIT1,
	STATE_SCTP_INIT,
	STATE_SCTP_COOKIE_SENT,
	STATE_SCTP_COOKIE_REPLIED,
	STATE_SCTP_COOKIE_WAIT,
	STATE_SCTP_COOKIE,
	STATE_SCTP_COOKIE_ECHOED,
	STATE_SCTP_ESTABLISHED,
	STATE_SCTP_SHUTDOWN_SENT,
	STATE_SCTP_SHUTDOWN_RECEIVED,
	STATE_SCTP_SHUTDOWN_ACK_SENT,
	STATE_SCTP_REJECTED,
	STATE_SCTP_CLOSED,
	STATE_ASSURED, /* of a persistence template: one of its connections was established */
	STATE_UDP_UNTOLD, /* fullnat with --uoa: the real server has not answered, and may not know the client yet */
	STATES,
	TCP_STATES = STATE_UDP,
};

/* Why a packet was not forwarded. Numbers are never reused; the names below become the user's, in lower case with dashes. */
enum reason {
	REASON_NONE,
	REASON_TTL_EXCEEDED,
	REASON_TOO_BIG, /* DF is set: ICMP fragmentation needed was sent */
	REASON_MUST_FRAGMENT, /* DF is clear, and the packet could not be fragmented */
	REASON_NO_DESTINATION, /* the service has no usable destination */
	REASON_DESTINATION_GONE, /* the connection's destination was deleted */
	REASON_NO_ROUTE,
	REASON_TABLE_FULL, /* masq and fullnat need an entry and none was free */
	REASON_TUPLE_IN_USE, /* another live connection has the same addresses towards the real server */
	REASON_NO_LOCAL_PORT, /* fullnat: every local port towards this real server is taken */
	REASON_NO_LOCAL_ADDRESS,
	REASON_FLOW_RACE, /* another CPU is just creating this connection */
	REASON_MALFORMED,
	REASON_ADJUST_FAILED, /* the kernel refused room for a tunnel header or an ICMP message */
	REASON_REDIRECT_FAILED,
	REASON_FORWARDING_OFF, /* no way was known, and net.ipv4.conf.lo.forwarding is off: nothing can be looked up */
	REASON_FRAGMENT_EARLY, /* a fragment that came before the first one of its datagram */
	REASON_FRAGMENTED_SCTP, /* masq, fullnat: a fragment alone does not tell what its packet's checksum becomes */
	REASON_DROP_PACKET, /* a new connection refused by the setting of that name */
	REASON_NO_CONNECTION, /* nat_icmp_send: a real server's packet that belongs to none */
	REASON_NO_CALL_ID, /* a service with --pe sip, and no SIP message */
	REASON_NOT_TRANSLATABLE, /* fullnat to the other family: a fragment, or an ICMP error that it has no words for */
	REASON_CALL_FAILED, /* the kernel refused the call of the program that goes on: too many in a row, or not loaded */
	REASON_FORGED_CLIENT, /* fullnat: a datagram whose sender has put in the option itself by which a director tells who a client is */
	REASONS,
};

/* What a program did that is no drop, counted for the operator. */
enum event {
	EVENT_STATELESS, /* scheduled by consistent hash without an entry, for the table was full */
	EVENT_ICMP_LIMITED, /* an ICMP answer not sent, for the rate limit */
	EVENT_TO_TC, /* XDP left the packet to TC */
	EVENT_EXPIRED, /* connections that ended by timeout */
	EVENT_PATH_MTU, /* a path to a real server told by ICMP that it takes no larger packets */
	EVENT_DROP_ENTRY, /* connections and templates ended by the setting of that name */
	EVENT_TUNNEL_ERROR, /* an ICMP error about a packet of our own tunnels, which ends here: no client is to be told */
	EVENT_CLIENT_UNTOLD, /* fullnat: a packet had no room for what tells the real server the client */
	EVENTS,
};

/* What stands in a number's place where there is none. */
enum none {
	NO_DESTINATION = 0xffffffff,
	NO_SERVICE = 0xffffffff,
	NO_SLOT = 0xffffffff,
	NO_PARTNER = 0xffffffff,
	NO_LOOKUP = 0xffffffff,
};

/* Of the tables. */
enum constant {
	BUCKETS = 256, /* of sh and dh: IP_VS_SH_TAB_BITS, IP_VS_DH_TAB_BITS = 8 */
	MH_BUCKETS = 4093, /* of mh: IP_VS_MH_TAB_INDEX = 12 */
	BLOCK_MEMBERS = 32, /* how many members schedulers that compare look through at a time */
	FLOW_WINDOW = 32, /* an entry lives at home + j * (j + 1) / 2, j < 32 */
	FLOW_GRACE = 25, /* jiffies that an unlinked entry rests: far beyond any run of a program, stalls included */
	SLOTS_PER_PAGE = 64, /* of the connection table: a bit in flow_pages each */
	PAGES_PER_WORD = 64, /* of flow_pages */
	SLOTS_PER_CONNECTION = 3, /* two entries each, at a load of two thirds: what the table is made for */
	MARK_RULES = 1024, /* at the most */
	MARK_PORTS = 15, /* ranges of ports in one of them: XT_MULTI_PORTS */
	CALL_ID_MOST = 255, /* bytes: IP_VS_PEDATA_MAXLEN */
	MSS_OF_PATH = 1, /* instead of a number of bytes: what fits the way */
};

/* services: what a packet's destination is looked up by. Of a mark: the mark in the VIP's first word, in network order, no port. */
struct service_key {
	struct address vip;
	__be16 port;
	__u8 protocol; /* 0: it is a mark */
	__u8 family; /* 4 or 6 */
};

enum service_flag {
	SERVICE_PERSISTENT = 1,
	SERVICE_ONE_PACKET = 2,
	SERVICE_THRESHOLDS = 4, /* one of its destinations has an upper threshold */
	SERVICE_FLAG_1 = 8, /* the scheduler's: sh-fallback, mh-fallback */
	SERVICE_FLAG_2 = 16, /* sh-port, mh-port */
	SERVICE_FLAG_3 = 32,
	SERVICE_CALL_ID = 64, /* --pe sip: with persistence, SIP's Call-ID tells clients apart too */
	SERVICE_RESCHEDULES = 128, /* what its destinations have as `on_remove` */
	SERVICE_RESETS = 256,
	SERVICE_UOA_SHIFT = 9, /* bits 9-10: what its destinations have as `uoa` */
	SERVICE_UOA_MASK = 3,
	SERVICE_MSS_SHIFT = 16, /* above this: what its destinations have as `mss` */
};

/* How fullnat tells a real server the client of a UDP connection. */
enum uoa {
	UOA_NONE,
	UOA_OPTION, /* an option of IPv4 */
	UOA_HEADER, /* a header between IP and UDP, which only those pass over that know it */
};

/* settings.lookups: which services there are, so that nobody looks for others. */
enum service_lookup {
	LOOKUP_MARK = 1,
	LOOKUP_FTP = 2, /* port 21: its data connections belong to it */
	LOOKUP_ANY_PORT = 4, /* port 0 */
	LOOKUP_IKE = 8, /* any that may have a key exchange's two ports */
	LOOKUP_FTP_DATA = 32, /* any that may have FTP by masq: entries may wait for data connections */
	LOOKUP_CALL_ID = 16, /* --pe sip: their real servers, too, begin connections */
};

/* Host order, both ends included. */
struct port_range {
	__u16 first;
	__u16 last;
};

enum mark_rule_flag {
	MARK_NOT_SOURCE = 1, /* what is asked for must not be */
	MARK_NOT_TARGET = 2,
	MARK_NOT_PROTOCOL = 4,
	MARK_NOT_SOURCE_PORTS = 8,
	MARK_NOT_TARGET_PORTS = 16,
	MARK_NOT_INTERFACE = 32,
	MARK_NOT_MARK = 64,
	MARK_INTERFACE = 128, /* one is asked for; it may not be there */
	MARK_ENDS = 256, /* rules after it are not looked at: ACCEPT and RETURN */
	/* Only for user space, which tells what was asked for by them. */
	MARK_MARKED = 512,
	MARK_SETS = 1024,
	MARK_SAME = 2048, /* the rule before, for another interface that its name stands for */
};

/* One of the rules that give packets marks. What is 0 is not asked for. Most are done with after their first cache line. */
struct mark_rule {
	struct address target;
	struct address target_mask;
	__u32 flags; /* enum mark_rule_flag */
	__u8 protocol;
	__u8 family;
	__u8 source_port_count;
	__u8 target_port_count;
	__u32 interface; /* index of the one that has the name below; 0: there is none */
	__u32 value; /* the mark becomes mark & ~mask ^ value */
	__u32 mask;
	__u32 marked; /* what it must be before, under the mask */
	__u32 marked_mask;
	__u32 reserved;
	struct address source;
	struct address source_mask;
	__u8 interface_name[16]; /* as a person gave it */
	struct port_range target_ports[MARK_PORTS];
	struct port_range source_ports[MARK_PORTS];
	__u32 pad[6];
};

/* A virtual service as the packet path needs it. Replaced whole, never changed in place. */
struct service {
	__u32 id; /* stable for the service's life: indexes cursors */
	__u32 scheduler;
	__u32 members; /* its destinations: members[members .. + member_count), newest first */
	__u32 member_count;
	__u32 buckets; /* sh, dh, mh: buckets[buckets .. + BUCKETS or MH_BUCKETS) */
	__u32 local_addresses; /* fullnat: local_addresses[.. + local_address_count), then those of the other family */
	__u16 local_address_count;
	__u16 cross_address_count; /* of the other family: towards real servers that are */
	__s32 max_weight; /* wrr: mw, the weight where a descent starts: largest weight - (gcd - 1) */
	__s32 weight_step; /* wrr: the weights' greatest common divisor */
	__u32 order; /* rank among the services, oldest lowest: listings and dumps keep it */
	__u32 flags; /* enum service_flag, MSS clamp */
	__u32 persistence_s; /* how long a client is remembered */
	struct address mask; /* which bits of its address tell clients apart */
};

/* A destination as its service's schedulers see it. */
struct member {
	__u32 destination; /* index into destinations */
	__s32 weight;
	__u32 method;
	__u32 upper_threshold; /* connections from which on it gets no new ones; 0: never */
	__u32 lower_threshold; /* connections below which it does again; 0: three quarters of the upper one */
	__s32 last_weight; /* its last one that was not 0: what mh gave it buckets by */
	__u32 tunnel; /* enum tunnel; its port << 16 */
	__u32 lightest; /* of a block's first member: enum lightest_of_block */
};

/*
 * Of a service with more than BLOCK_MEMBERS it is remembered until a load in the block changes which member the scheduler prefers:
 * its position there and BLOCK_FIRST. twos: what the weights of those that take connections come to, and BLOCK_NOBODY.
 */
enum lightest_of_block {
	BLOCK_CHANGED = 0,
	BLOCK_NOBODY = 1, /* none of them takes connections */
	BLOCK_FIRST = 2,
	BLOCK_BUSY = 0x40000000, /* a flag, of lblc and lblcr: none of them has less than half of what it may */
	BLOCK_ASKED = 0x80000000, /* and a number: somebody is looking, and will tell unless a load changes meanwhile */
};

/*
 * A cached way to an address. What a packet is sent by is one word for each hook, so that no reader sees half of a change
 * (two words tear: measured). The refresh word is claimed by compare and swap, so one CPU looks up at a time.
 */
struct next_hop {
	__u64 l2; /* destination MAC in the low 48 bits, interface index in the 15 above, and L2_ONLY_TC; 0: not known */
	union {
		struct {
			__u32 oif; /* 0: no route */
			union {
				__u32 gateway; /* IPv4: the neighbour, which is the address itself when on link */
				__u32 from_six; /* routes, IPv6: the address that packets come from, folded */
			};
		};
		__u64 via; /* TC: both */
	};
	__u32 refresh; /* jiffies (low 32 bits) when to look it up again; 0: at once */
	__u32 mtu; /* the route's; 0: not known */
	__u32 version; /* of routes, and of every way of IPv6: odd while it is being written */
	__u32 to; /* routes: the IPv4 address this leads to, or 0 */
	union {
		struct address source; /* destinations: what the director uses as its own address on this way */
		struct address to_six; /* routes: the IPv6 address this leads to */
		__u32 from; /* routes: the IPv4 address that packets come from */
	};
	struct address gateway_six; /* IPv6: the neighbour */
};

/* What a tunnel's packets are wrapped in: the types as IPVS numbers them (IP_VS_CONN_F_TUNNEL_TYPE_*), and flags. */
enum tunnel {
	TUNNEL_IPIP = 0,
	TUNNEL_GUE = 1,
	TUNNEL_GRE = 2,
	TUNNEL_TYPE_MASK = 3,
	TUNNEL_CSUM = 4, /* --tun-csum */
	TUNNEL_REMCSUM = 8, /* --tun-remcsum */
};

enum destination_flag {
	DESTINATION_AVAILABLE = 1, /* not deleted */
};

/* What becomes of the connections of a destination that is deleted, with their next packet. */
enum on_remove {
	ON_REMOVE_KEEP, /* they stay its own, and their packets are dropped: IPVS's way */
	ON_REMOVE_RESCHEDULE, /* they end: as all do with expire_nodest_conn */
	ON_REMOVE_RESET, /* likewise, and the director's own stack answers: by RST, or that the port is unreachable */
};

/* A real server as one service sees it. User space writes single words of it, the packet path the rest. */
struct destination {
	/* line 1: read by every packet */
	struct next_hop next_hop;
	/* line 2: written by user space only */
	struct address rip;
	__be16 port;
	union {
		struct {
			__u8 family; /* 0: this slot was never used */
			__u8 tunnel; /* enum tunnel */
		};
		__u16 wrapping; /* both: the family itself where packets of the same one go by plain IP in IP */
	};
	__u32 flags;
	__u32 service; /* id */
	struct service_key key; /* the service it belongs, or belonged, to */
	__u32 deleted; /* seconds of CLOCK_BOOTTIME when it was deleted */
	__s32 weight; /* as in its member: who comes by lblc, lblcr or persistence does not know the members */
	__u32 method; /* likewise */
	__be16 tunnel_port; /* GUE */
	__u16 mss; /* SYNs tell no larger segments: in bytes, or MSS_OF_PATH; 0: as they like */
	/* line 3: how many entries refer to it; atomic */
	__u32 active;
	__u32 inactive;
	__u32 persistent; /* templates */
	__u32 overloaded; /* 1: it reached the upper threshold, and is not below the lower one yet */
	__u32 upper_threshold; /* as in its member */
	__u32 lower_threshold;
	__u32 block; /* 1 + the index of the first member of its block; 0: nothing is remembered of it */
	__u32 on_remove; /* enum on_remove */
	__u32 failures; /* how often a connection was asked for again, or refused, before it was there; atomic */
	__u32 uoa; /* enum uoa */
	__be16 asked_port; /* that it was added with, where its method can't map ports: `port` is the service's then */
	__u16 pad[11];
};

/* One destination's counters on one CPU: counters[cpu * destinations + destination]. One cache line. */
struct counters {
	__u64 connections;
	__u64 in_packets;
	__u64 in_bytes;
	__u64 out_packets;
	__u64 out_bytes;
	__u64 reserved[3];
};

/* A destination's moving averages, by the timer every 2 s, in the kernel's fixed point (ip_vs_est.c). One writer. */
struct rates {
	__u64 last_connections;
	__u64 last_in_packets;
	__u64 last_out_packets;
	__u64 last_in_bytes;
	__u64 last_out_bytes;
	__u64 cps; /* << 10 */
	__u64 inpps;
	__u64 outpps;
	__u64 inbps; /* << 5 */
	__u64 outbps;
};

/*
 * The connection table: open addressing in one ARRAY. A slot is the home of the entries whose hash names it, and may
 * itself hold an entry of another home. See flow_table.h for the algorithm.
 */
enum flow_kind {
	FLOW_FREE, /* zero: a new map is an empty table */
	FLOW_BUSY, /* claimed by one CPU, not yet reachable */
	FLOW_LIVE, /* a connection: client to VIP */
	FLOW_REPLY, /* its other direction: real server to client, or to a local address; `partner` is its connection */
	FLOW_DYING, /* being unlinked */
	FLOW_DEAD, /* unlinked; free after a grace period counted from `seen` */
	FLOW_EXTENSION, /* not an entry: what one entry, whose `partner` names it, has no room for. Its `home` is still that of others */
};

/* How long a template remembers its client, and whom for. */
struct lease {
	__u32 timeout_s; /* what it lives after its last new connection */
	__u32 controlled; /* live connections that name it, or TEMPLATE_CLOSED */
};

struct flow {
	union {
		struct {
			__u32 control; /* see enum flow_control */
			__u32 seen; /* jiffies (low 32 bits) of the last packet */
		};
		__u64 life; /* both, for compare and swap */
	};
	__u64 home; /* bit j: the entry at offset j is one of this home's; high 32 bits: version */
	__u32 destination; /* of an extension: the slot of the template that controls its entry, or NO_SLOT */
	__u32 partner; /* the slot of the other direction, or NO_PARTNER; of an extended entry its extension's, whose `partner` is the real one */
	union {
		struct { /* IPv4 */
			__u64 addresses; /* the key: source | destination << 32, as on the wire */
			__u64 ports; /* source | destination << 16 | protocol << 32, as on the wire; or enum flow_template */
			union {
				__u64 new_addresses; /* masq, fullnat: what the packet's become; layout as above */
				struct lease lease; /* of a template */
			};
			__u32 new_ports; /* masq, fullnat: the same; ports only. Else the real server's port is told here, for listings */
			__u32 controller; /* the slot of the template that controls it, or NO_SLOT */
			__u16 address_difference; /* what the rewrite adds to checksums: its addresses, */
			__u16 port_difference; /* its ports, */
			__u16 whole_difference; /* both */
			__u16 unused;
		};
		struct { /* FLOW_SIX: the key alone */
			struct addresses addresses;
			__u64 ports;
		} six;
		struct
		{ /* FLOW_EXTENSION: masq, fullnat: what the packet's become, of IPv6 if its control has FLOW_SIX */
			struct addresses addresses;
			__u32 ports;
			__u16 address_difference;
			__u16 port_difference;
		} new;
		struct lease lease_six; /* FLOW_EXTENSION of a template */
	};
};

/*
 * A persistence template is an entry of the table that no packet has the key of: the client's address under the service's mask,
 * no source port, and a bit in `ports`. Of a mark the target is the mark, and the protocol 0.
 */
enum flow_template {
	TEMPLATE_BIT = 40, /* of ports */
	TEMPLATE_PARKED_BIT =
		41, /* its destination takes no more: nobody finds it; it stays until its connections are over */
	TEMPLATE_CALL_ID_BIT = 42, /* what stands for its addresses is a hash of what call_id_tables has of it */
	TEMPLATE_CLOSED = 0x80000000, /* controlled: it is about to be unlinked, nobody may take it any more */
};

/* call_id_tables: what the template of a service with --pe sip is for. */
struct call_id {
	struct addresses addresses; /* the client's under the mask, and the VIP or mark */
	__u32 length;
	__u32 unused;
	union {
		__u8 text[CALL_ID_MOST + 1];
		__u64 word[(CALL_ID_MOST + 1) / 8];
	};
};

/* flow.control: where in it is what. */
enum flow_control {
	FLOW_KIND_MASK = 0x7, /* bits 0-2: enum flow_kind */
	FLOW_OFFSET_SHIFT = 3, /* bits 3-7: j, the offset from home */
	FLOW_OFFSET_MASK = 0x1f,
	FLOW_STATE_SHIFT = 8, /* bits 8-12: enum flow_state */
	FLOW_STATE_MASK = 0x1f,
	FLOW_METHOD_SHIFT = 13, /* bits 13-15: enum method */
	FLOW_METHOD_MASK = 0x7,
	FLOW_INACTIVE = 0x10000, /* bit 16: counted in destination.inactive, not in .active */
	FLOW_SIX = 0x20000, /* bit 17: its addresses are of IPv6 */
	FLOW_EXTENDED = 0x40000, /* bit 18: `partner` is its extension */
	FLOW_OWN =
		0x80000, /* bit 19: the director itself is the client of masq or fullnat; of gate or tunnel a real server that answered */
	FLOW_FTP =
		0x100000, /* bit 20: a control connection of FTP by masq, or what waits for a client's data connection: TC reads it */
	FLOW_GENERATION_SHIFT = 21, /* bits 21-31: changes each time the slot is claimed */
	FLOW_BELOW_GENERATION = 0x1fffff,
};

/* settings.mark_rules: how many there are, in which half, and above that a number that each change adds one to. */
enum mark_rules_bits {
	MARK_COUNT_MASK = 0xffff,
	MARK_SECOND_HALF = 0x10000,
	MARK_VERSION_SHIFT = 17,
};

/* What user space sets at load (const in the programs), and what it may change later (the settings map). */
struct settings {
	__u32 timeout_s[32]; /* by enum flow_state */
	__u32 hz; /* jiffies a second */
	__u32 destinations_used; /* no slot at or above this was ever used */
	__u32 stateless_until; /* written by the packet path: jiffies until connections without entry may exist; 0: none do */
	__u32 lookups; /* enum service_lookup */
	/* net.ipv4.vs.*, by their names there */
	__s32 conn_reuse_mode;
	__s32 expire_nodest_conn;
	__s32 expire_quiescent_template;
	__s32 sloppy_tcp;
	__s32 sloppy_sctp;
	__u32 drop_packet; /* this and the next two: enum defence */
	__u32 drop_entry;
	__u32 secure_tcp;
	__s32 nat_icmp_send;
	__s32 schedule_icmp;
	__s32 cache_bypass;
	__s32 pmtu_disc;
	__s32 run_estimation;
	__s32 amemthresh; /* here: connections that the table has room for */
	__s32 am_droprate;
	__u32 lblc_expiration; /* seconds */
	__u32 lblcr_expiration; /* seconds */
	/* and what comes of them */
	__s32 drop_rate; /* by the timer: one of so many, where drop_packet is ON_BY_NEED */
	__s32 drop_counter; /* by the packet path: so many until the next is dropped */
	__u32 mark_rules; /* those in force: enum mark_rules_bits */
	__u32 serves_six; /* enum six */
	__u32 reserved[7];
};

/* What is of IPv6: services, or real servers. */
enum six {
	SIX_NONE, /* XDP leaves such packets alone */
	SIX_WHOLE, /* entries are looked for whose packets go on as they are, or by tunnel */
	SIX_TRANSLATED, /* and such as have an extension */
};

/* Whether a defence against floods is at work. The timer changes between the two in the middle. */
enum defence {
	DEFENCE_OFF,
	DEFENCE_BY_NEED,
	DEFENCE_ON_BY_NEED,
	DEFENCE_ON,
};

/* What the clock program answers. */
struct clock {
	__u64 jiffies;
	__u64 monotonic_ns;
};

/* One namespace's own facts, kept in a pinned map so that every later process finds them. */
struct instance {
	__u64 netns_cookie;
	__u64 hash_seed[2];
	__u32 flow_slots;
	__u32 destination_slots;
	__u32 cpus;
	__u32 port_low; /* fullnat local ports: two ranges around ip_local_port_range */
	__u32 port_high;
	__u32 reserved_low; /* the host's own range, left out */
	__u32 reserved_high;
	__u32 version; /* of these layouts */
	__u32 next_service_id;
	__u32 lo_forwarding; /* what net.ipv4.conf.lo.forwarding was before */
	__u32 lo_forwarding_six; /* net.ipv6.conf.lo.forwarding */
	__u32 build; /* of which the programs are: 32 bits of the object's hash */
	__u32 lo_accept_local; /* net.ipv4.conf.lo.accept_local */
	__u32 table_version; /* of the services: another with each change, and odd while one is being made */
	__u32 reserved;
	__u64 pair_keys[4]; /* of hash_six(); 0: this table's entries are where an earlier build's hash had them */
};

/* interfaces: an interface's MAC in the low 48 bits, these above them. */
enum interface_bit {
	INTERFACE_XDP_BIT = 48, /* our XDP program is on it, and it takes redirected frames */
};
#define INTERFACE_XDP (1ULL << INTERFACE_XDP_BIT)
#define MAC_MASK 0xffffffffffffULL

/* ends: what an address is to connections. */
enum end {
	END_TARGET = 1, /* a VIP or a local address: clients' or real servers' packets go to it */
	END_SOURCE = 2, /* a real server whose packets are translated */
};

/* path_mtus: what a router on the way to a real server told by ICMP. */
struct path_mtu {
	__u32 mtu;
	__u32 until; /* jiffies */
};

/* lblc and lblcr: where a destination address went before. */
struct locality_key {
	__u32 service;
	struct address address;
};

#define LOCALITY_SET 32 /* lblcr: real servers of one address at the most */

struct locality {
	__u32 last_use; /* jiffies */
	__u32 last_change; /* jiffies; lblcr: when the set last grew or shrank */
	__u32 count;
	__u32 destinations[LOCALITY_SET]; /* newest first; lblc has one */
};

/* What the trace program found out about one packet; nothing else is changed by it. */
struct trace {
	__u32 verdict; /* enum verdict */
	__u32 reason;
	__u32 flow; /* slot, or NO_SLOT */
	__u32 reply; /* the packet goes from the real server to the client */
	__u32 state; /* before this packet */
	__u32 next_state;
	__u32 service; /* id, or NO_SERVICE */
	__u32 scheduler;
	__u32 destination; /* or NO_DESTINATION */
	__u32 method;
	__u32 stateless;
	__u32 oif;
	__u32 mtu;
	__u32 fib; /* what bpf_fib_lookup answered, or NO_LOOKUP when the cached way was fresh */
	__u32 family; /* of the packet */
	__u32 new_family; /* of what its addresses become */
	struct address gateway;
	struct address source;
	struct address new_source;
	struct address new_target;
	__u32 new_ports;
	__u32 way_family; /* of gateway and source */
	__u64 l2;
	__u32 mark; /* that rules gave it */
	__u32 reserved;
};

enum verdict {
	VERDICT_NEXT, /* go on with the walk */
	VERDICT_PASS, /* not ours: the kernel's own stack has it */
	VERDICT_WALK, /* a hook's first program: the second, which has the whole walk, takes it */
	VERDICT_SIX, /* a walk for IPv4: the one for IPv6 takes it */
	VERDICT_TC, /* XDP: the TC program finishes it */
	VERDICT_DROP,
	VERDICT_SENT,
	VERDICT_SENT_BACK, /* XDP: by the interface that it came in by */
	VERDICT_RARE, /* parse(): a packet that rare.h parses */
	VERDICT_RELATED, /* TC: an ICMP error, which related.h takes */
	VERDICT_ANSWER, /* TC: dropped, and another program tells its sender */
	VERDICT_OPEN, /* TC: an ICMP error about no connection, for which another program opens one */
	VERDICT_ONE_PACKET, /* a datagram without an entry, for the programs of one_packet.h; the opening is made */
	VERDICT_ANSWER_OTHER, /* TC: the same, but the sender is of the other family than what was parsed */
	VERDICT_WRAP, /* a tunnel that wrap.h's programs send by */
	VERDICT_FTP, /* TC: of a control connection of FTP, which ftp.h takes */
	VERDICT_FTP_READ, /* TC: the same, and it was read: it walks again */
	VERDICT_OUTBOUND, /* TC: what a real server sends by itself, which outbound.h takes */
	VERDICT_CROSS, /* fullnat to the other family, for cross.h's programs */
	VERDICT_CROSS_RELATED, /* TC: an ICMP error about such a connection's packet, for cross_related.h's */
	VERDICT_TELL, /* fullnat: a packet that tell.h's programs put the client's address into, and walk again */
	VERDICT_TELL_DATAGRAM, /* fullnat: a datagram that tell_datagram.h's programs put it into, and send */
	VERDICT_UNWRAP, /* TC: an ICMP error that may be about a tunnel of our own, which unwrap.h takes */
	VERDICT_DELIVER, /* TC: translated by masq or fullnat it stays with the director: own.h takes it */
	VERDICT_CUT, /* TC: too large for its way; cut.h makes it smaller */
};

/*
 * What programs call each other by, in tail calls: XDP's and TC's. STAGE_WALK is director_walk's place, and so on. One that nobody
 * needs is not loaded, and a call of it goes on behind the call.
 */
enum stage {
	STAGE_WALK,
	STAGE_WALK_SIX,
	STAGE_ONE_PACKET,
	STAGE_ONE_PACKET_SIX,
	STAGE_WRAP,
	STAGE_WRAP_SIX,
	STAGE_CROSS,
	STAGE_CROSS_SIX,
	STAGE_TRACE_WRAP,
	STAGE_TRACE_WRAP_SIX,
	STAGE_TRACE_CROSS,
	STAGE_TRACE_CROSS_SIX,
	STAGE_TELL,
	STAGE_TELL_SIX,
	STAGE_TELL_DATAGRAM,
	STAGE_TELL_DATAGRAM_SIX,
	STAGES,
	STAGES_MOST = 64, /* of either kind: maps keep their size when programs of a later build come */
};

enum tc_stage {
	TC_STAGE_TC_SIX,
	TC_STAGE_RELATED,
	TC_STAGE_RELATED_SIX,
	TC_STAGE_ANSWER,
	TC_STAGE_ANSWER_SIX,
	TC_STAGE_OPEN_RELATED,
	TC_STAGE_OPEN_RELATED_SIX,
	TC_STAGE_ONE_PACKET_TC,
	TC_STAGE_ONE_PACKET_TC_SIX,
	TC_STAGE_WRAP_TC,
	TC_STAGE_WRAP_TC_SIX,
	TC_STAGE_CROSS_TC,
	TC_STAGE_CROSS_TC_SIX,
	TC_STAGE_CROSS_RELATED,
	TC_STAGE_CROSS_RELATED_SIX,
	TC_STAGE_UNWRAP,
	TC_STAGE_UNWRAP_SIX,
	TC_STAGE_FTP,
	TC_STAGE_FTP_SIX,
	TC_STAGE_OUTBOUND,
	TC_STAGE_OUTBOUND_SIX,
	TC_STAGE_WALK_TC,
	TC_STAGE_WALK_TC_SIX,
	TC_STAGE_OWN_SIX,
	TC_STAGE_DELIVER,
	TC_STAGE_DELIVER_SIX,
	TC_STAGE_CUT,
	TC_STAGE_TELL_TC,
	TC_STAGE_TELL_TC_SIX,
	TC_STAGE_TELL_DATAGRAM_TC,
	TC_STAGE_TELL_DATAGRAM_TC_SIX,
	TC_STAGES,
};

/* Names that no layout above mentions, so that they reach the BTF: user space has no number of its own. */
struct vocabulary {
	enum family family;
	enum method method;
	enum scheduler scheduler;
	enum flow_state flow_state;
	enum flow_kind flow_kind;
	enum reason reason;
	enum event event;
	enum verdict verdict;
	enum none none;
	enum constant constant;
	enum lightest_of_block lightest_of_block;
	enum tunnel tunnel;
	enum destination_flag destination_flag;
	enum on_remove on_remove;
	enum uoa uoa;
	enum service_flag service_flag;
	enum service_lookup service_lookup;
	enum six six;
	enum flow_template flow_template;
	enum flow_control flow_control;
	enum interface_bit interface_bit;
	enum end end;
	enum mark_rule_flag mark_rule_flag;
	enum mark_rules_bits mark_rules_bits;
	struct clock clock;
	struct call_id call_id;
	enum defence defence;
	enum stage stage;
	enum tc_stage tc_stage;
};
