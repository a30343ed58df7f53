// A virtual service and its destinations, as LVS names them: pure values.
import type { Address } from './address.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** What IPVS finds a service by: a VIP and port of one protocol, or a firewall mark. */
export type ServiceIdentity =
  | { readonly kind: 'address'; readonly protocol: Protocol; readonly vip: Address; readonly port: number }
  | { readonly kind: 'mark'; readonly mark: number; readonly family: 4 | 6 };

/** Source: the kernel's ip_vs_{rr,...}.c; `none` schedules nothing. */
export const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'dh', 'lblc', 'lblcr'] as const;
export type Scheduler = (typeof schedulers)[number];

/** LVS-NAT, LVS-DR, LVS-TUN and LVS-FULLNAT. */
export type Method = 'masq' | 'gate' | 'tunnel' | 'fullnat';

export interface Service {
  readonly identity: ServiceIdentity;
  readonly scheduler: Scheduler;
  /** fullnat's source addresses; empty: the director's own address towards the real server. */
  readonly localAddresses: readonly Address[];
  /** In the kernel's order: the newest first. Schedulers walk this order; listings sort. */
  readonly destinations: readonly Destination[];
}

/** One real server as one service sees it. Its identity within the service is (rip, port). */
export interface Destination {
  readonly rip: Address;
  readonly port: number;
  readonly method: Method;
  /** 0 quiesces: no new connections. 0 to 2147483647. */
  readonly weight: number;
}

/** Everything a person configures in one network namespace; services oldest first. */
export interface Table {
  readonly services: readonly Service[];
}

export const emptyTable: Table = { services: [] };
