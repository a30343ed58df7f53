// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What feeds the director in tests beyond single packets: frames as the kernel hands them over with VLAN tags, and two racers. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tc_target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xdp_target SEC(".maps");

/* -- tags: the outermost beside the packet, the others in it, as the kernel's receive path leaves them -- */

SEC("tc")
int one_tag(struct __sk_buff *skb)
{
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 5);
	bpf_tail_call_static(skb, &tc_target, 0);
	return TC_ACT_SHOT;
}

SEC("tc")
int two_tags(struct __sk_buff *skb)
{
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 5);
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 6);
	bpf_tail_call_static(skb, &tc_target, 0);
	return TC_ACT_SHOT;
}

/* -- the race: each racer on its CPU sends packets of the same connections, as fast as it can -- */

#define FRAME 60
#define TUNNEL_HEADER 20
#define FIRST_PORT 80 /* four services, one for each forwarding method */
#define REAL_SERVERS 4
#define PATIENCE (1 << 20) /* looks at the other racer before one goes on without it */

struct race {
	__u32 in_step; /* 1: both open the same new connection at a time; 0: any packet of any connection */
	__u32 flows; /* not in step: so many connections for each service */
	__u32 vip; /* addresses as on the wire */
	__u32 first_rip; /* of real servers 1 to 4 */
	__u32 local; /* fullnat's only local address */
	__u32 first_local_port;
	__u32 local_ports;
	__u32 seed;
};

struct racer {
	__u64 step;
	__u64 line[7]; /* alone in its cache line */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct race);
} races SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct racer);
} racers SEC(".maps");

struct packet {
	__u32 source;
	__u32 destination;
	__u16 source_port; /* host order */
	__u16 destination_port;
	__u8 flags;
};

enum {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	ACK = 0x10,
};

struct wait {
	struct racer *other;
	__u64 step;
};

static long wait_step(__u32 index, void *context)
{
	struct wait *wait = context;

	return *(volatile __u64 *)&wait->other->step >= wait->step;
}

static __always_inline __u64 mixed(__u64 value)
{
	value = (value ^ value >> 33) * 0xff51afd7ed558ccdULL;
	value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return value ^ value >> 33;
}

static __always_inline void from_client(struct packet *packet, const struct race *race, __u32 flow, __u32 service)
{
	packet->source = bpf_htonl(0x0a400000 | (flow & 0xffff)); /* 10.64.0.0/16 */
	packet->source_port = 0x4000 + (flow >> 16);
	packet->destination = race->vip;
	packet->destination_port = FIRST_PORT + service;
}

/* Of masq, or for half of them of fullnat; many guess a wrong real server or port, and are nobody's. */
static __always_inline void from_real_server(struct packet *packet, const struct race *race, __u32 flow, __u64 chance)
{
	packet->source = bpf_htonl(bpf_ntohl(race->first_rip) + chance % REAL_SERVERS);
	packet->destination = bpf_htonl(0x0a400000 | (flow & 0xffff));
	packet->destination_port = 0x4000 + (flow >> 16);
	packet->source_port = FIRST_PORT;
	if (chance & 4 && race->local_ports) {
		packet->destination = race->local;
		packet->destination_port = race->first_local_port + (chance >> 3) % race->local_ports;
		packet->source_port = FIRST_PORT + 3;
	}
}

static __always_inline __u8 flags_of(__u64 chance)
{
	switch (chance % 8) {
	case 0:
	case 1:
	case 2:
		return SYN;
	case 3:
	case 4:
	case 5:
		return ACK;
	case 6:
		return FIN | ACK;
	}
	return RST;
}

static __always_inline void choose(struct packet *packet, const struct race *race, __u64 step, __u32 self)
{
	__u64 chance = mixed(step * 2 + self + ((__u64)race->seed << 40));
	__u32 flow = chance % (race->flows ? race->flows : 1);

	if (race->in_step) {
		from_client(packet, race, step, step & 3);
		packet->flags = SYN;
		return;
	}
	if ((chance >> 32) % 4 == 0)
		from_real_server(packet, race, flow, chance >> 40);
	else
		from_client(packet, race, flow, chance >> 40 & 3);
	packet->flags = flags_of(chance >> 48);
}

static __always_inline void write_frame(void *start, const struct packet *packet)
{
	struct ethhdr *eth = start;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	__builtin_memset(start, 0, FRAME);
	eth->h_proto = bpf_htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(FRAME - ETH_HLEN);
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = packet->source;
	ip->daddr = packet->destination;
	tcp->source = bpf_htons(packet->source_port);
	tcp->dest = bpf_htons(packet->destination_port);
	tcp->doff = 5;
	((__u8 *)tcp)[13] = packet->flags;
}

static __always_inline int run(struct xdp_md *ctx, __u32 self)
{
	__u32 zero = 0, other = !self;
	struct race *race = bpf_map_lookup_elem(&races, &zero);
	struct racer *racer = bpf_map_lookup_elem(&racers, &self);
	struct wait wait = {.other = bpf_map_lookup_elem(&racers, &other)};
	struct packet packet = {};
	void *start;

	if (!race || !racer || !wait.other)
		return XDP_ABORTED;
	if (ctx->data_end - ctx->data > FRAME)
		bpf_xdp_adjust_head(ctx, TUNNEL_HEADER);
	start = (void *)(long)ctx->data;
	if (start + FRAME > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	wait.step = racer->step + 1;
	*(volatile __u64 *)&racer->step = wait.step;
	if (race->in_step)
		bpf_loop(PATIENCE, wait_step, &wait, 0);
	choose(&packet, race, wait.step, self);
	write_frame(start, &packet);
	bpf_tail_call_static(ctx, &xdp_target, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int racer_one(struct xdp_md *ctx)
{
	return run(ctx, 0);
}

SEC("xdp")
int racer_two(struct xdp_md *ctx)
{
	return run(ctx, 1);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
