// A virtual service and its destinations, as LVS names them: pure values.
import type { Address } from './address.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** What IPVS finds a service by: a VIP and port of one protocol, or a firewall mark. */
export type ServiceIdentity =
  | { readonly kind: 'address'; readonly protocol: Protocol; readonly vip: Address; readonly port: number }
  | { readonly kind: 'mark'; readonly mark: number; readonly family: 4 | 6 };

/** Source: the kernel's ip_vs_{rr,...}.c; `none` schedules nothing. */
export const schedulers = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'sed',
  'nq',
  'sh',
  'dh',
  'lblc',
  'lblcr',
  'mh',
  'fo',
  'ovf',
  'twos',
  'none',
] as const;
export type Scheduler = (typeof schedulers)[number];

/** Source: the kernel's ip_vs_pe_sip.c; there is no other. */
export const persistenceEngines = ['sip'] as const;

/**
 * keep: they stay its own, and their packets are dropped (IPVS's way); reschedule: they end, and what goes on is scheduled like what
 * is new (IPVS's expire_nodest_conn); reset: likewise, and the director's own stack answers, by RST or ICMP port unreachable.
 */
export const onRemoves = ['keep', 'reschedule', 'reset'] as const;
export type OnRemove = (typeof onRemoves)[number];

/** LVS-NAT, LVS-DR, LVS-TUN and LVS-FULLNAT. */
export const methods = ['masq', 'gate', 'tunnel', 'fullnat'] as const;
export type Method = (typeof methods)[number];

/** The kernel's own least (TCP_MIN_MSS), and what IPv4 has room for. */
export const mssRange = { least: 88, most: 65495 } as const;

/**
 * How fullnat tells a real server the client of a UDP connection, as DPVS's uoa_mode names it: ipo, an option of IPv4; opp, a header
 * between IP and UDP, which a real server must know.
 */
export const uoaModes = ['ipo', 'opp'] as const;
export type UoaMode = (typeof uoaModes)[number];

/** Connections of one client, or of one network of clients, go to one real server for a time. */
export interface Persistence {
  /** Seconds that a client is remembered after its last connection. */
  readonly timeoutS: number;
  /** What clients are told apart by; of the service's family. IPv4 allows any mask, IPv6 prefixes only. */
  readonly mask: Address;
}

export interface Service {
  readonly identity: ServiceIdentity;
  readonly scheduler: Scheduler;
  /** ipvsadm's -b, as IPVS names them: `sh-port`, `sh-fallback`, `mh-port`, `mh-fallback`, or `flag-1` to `flag-3`. */
  readonly schedulerFlags?: readonly string[];
  /** Absent: none. */
  readonly persistence?: Persistence;
  /** ipvsadm's -o: each packet is scheduled by itself. UDP and marks only. */
  readonly onePacket?: boolean;
  /** Our --mss-clamp: SYNs tell no larger segments than this many bytes, or than fit the path. TCP and marks only. */
  readonly mssClamp?: number | 'path';
  /** Our --uoa; absent: real servers of fullnat are not told about clients by UDP. UDP and marks only; of IPv6 only opp. */
  readonly uoa?: UoaMode;
  /** ipvsadm's --pe: what else than the address tells clients apart. */
  readonly persistenceEngine?: string;
  /** What becomes of the connections of a destination that is deleted; absent: keep. */
  readonly onRemove?: OnRemove;
  /** fullnat's source addresses; empty: the director's own address towards the real server. */
  readonly localAddresses: readonly Address[];
  /** In the kernel's order: the newest first. Schedulers walk this order; listings sort. */
  readonly destinations: readonly Destination[];
}

/** One real server as one service sees it. Its identity within the service is (rip, port). */
export interface Destination {
  readonly rip: Address;
  readonly port: number;
  /** That it was added with, where its method can't map ports and it was another one: nothing but what is told heeds it. */
  readonly askedPort?: number;
  readonly method: Method;
  /** 0 quiesces: no new connections. 0 to 2147483647. */
  readonly weight: number;
  /** Connections from which on it gets no new ones. Absent or 0: never. */
  readonly upperThreshold?: number;
  /** Connections below which it gets new ones again. Absent or 0: three quarters of the upper. */
  readonly lowerThreshold?: number;
  /** Of method `tunnel`; absent: IPIP. */
  readonly tunnel?: Tunnel;
}

/** How packets are wrapped (--tun-type and what belongs to it). */
export interface Tunnel {
  readonly type: 'ipip' | 'gre' | 'gue';
  /** UDP port of GUE; 0 for the others. */
  readonly port: number;
  /** --tun-nocsum, --tun-csum, --tun-remcsum. */
  readonly checksum: 'none' | 'full' | 'remote';
}

/** Everything a person configures in one network namespace; services oldest first. */
export interface Table {
  readonly services: readonly Service[];
}

export const emptyTable: Table = { services: [] };
