// What a laboratory consists of, declared: segments, hosts, addresses, gateways and services. No I/O.
import type { Method, Protocol } from '../model/service.ts';

export const labTypes = ['nat', 'dr', 'tun', 'fullnat'] as const;
export type LabType = (typeof labTypes)[number];

/** One network at layer 2 and 3. */
export interface Segment {
  readonly name: string;
  /** Such as 203.0.113.0/24. */
  readonly network: string;
}

export interface Leg {
  readonly segment: string;
  readonly address: string;
}

/** A server process's socket; an address where the kernel would choose the wrong source for a datagram's answer. */
export interface Listen {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
}

export interface Host {
  readonly name: string;
  /** Its interfaces eth0, eth1, ... in this order. */
  readonly legs: readonly Leg[];
  readonly gateway?: string;
  /** Where the VIP is configured on this host by the laboratory itself. */
  readonly vipOn?: 'eth0';
  /** Below /proc/sys/net/ipv4, over what every host starts from (see topology.ts). */
  readonly settings?: Readonly<Record<string, string>>;
  readonly listens?: readonly Listen[];
  /** What the person reading the drawing should know of it. */
  readonly note: string;
}

export interface VirtualService {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly realServers: readonly string[];
  readonly realPort: number;
}

export interface Plan {
  readonly type: LabType;
  readonly title: string;
  readonly method: Method;
  readonly vip: string;
  readonly segments: readonly Segment[];
  readonly hosts: readonly Host[];
  readonly services: readonly VirtualService[];
  /** Services with one real server each, there only while the claims are checked. */
  readonly proofServices: readonly VirtualService[];
}

/** Readable in a capture: 02:00 and the four bytes of the interface's address. */
export function macOf(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '00', ...bytes].join(':');
}

export function hostNamed(plan: Plan, name: string): Host {
  const host = plan.hosts.find((each) => each.name === name);
  if (!host) throw new Error(`the ${plan.type} plan has no host ${name}`);
  return host;
}

/** The host's address on its nth interface; a real server's first is its RIP, the director's towards them its DIP. */
export function addressOf(plan: Plan, name: string, leg = 0): string {
  const found = hostNamed(plan, name).legs[leg];
  if (!found) throw new Error(`host ${name} has no interface eth${leg}`);
  return found.address;
}

/** Who sends from this MAC, for a person. */
export function hostOfMac(plan: Plan, mac: string): string | undefined {
  if (mac === 'ff:ff:ff:ff:ff:ff') return 'everyone';
  return plan.hosts.find((host) => host.legs.some((leg) => macOf(leg.address) === mac))?.name;
}
