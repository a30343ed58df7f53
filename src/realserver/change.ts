// What making a real server changes in a network namespace: each change as data that tells how to make it and undo it.

import type { TcPoint } from '../kernel/tc.ts';
import type { ArpChain } from './arptables.ts';
import { formatTunnel, ipip, isSix, type TunnelEnd } from './tunnel.ts';

/** Interfaces keep their index when they are renamed, and an index is not given twice to different ones. */
export interface InterfaceRef {
  readonly index: number;
  readonly name: string;
}

/** A file below /proc/sys/net/ipv4/conf, of one interface or of `all`. */
export interface SettingChange {
  readonly kind: 'setting';
  readonly interface: InterfaceRef | 'all';
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** The VIP on lo: of IPv4 with scope host, of IPv6 deprecated, so that it is no source of the machine's own connections. */
export interface AddressChange {
  readonly kind: 'address';
  readonly vip: string;
}

/** A clsact qdisc that was not there. */
export interface QdiscChange {
  readonly kind: 'qdisc';
  readonly interface: InterfaceRef;
}

/** A program of ours: decapsulation at ingress, and at egress the one that bounds clients' segments. */
export interface FilterChange {
  readonly kind: 'filter';
  readonly interface: InterfaceRef;
  readonly point: TcPoint;
}

/** The program takes packets for this VIP. */
export interface DecapsulationChange {
  readonly kind: 'decapsulation';
  readonly vip: string;
  /** Absent: IP in IP. */
  readonly tunnel?: TunnelEnd;
}

/** No larger packets than this come whole from the directors of this VIP. */
export interface PathMtuChange {
  readonly kind: 'path-mtu';
  readonly vip: string;
  readonly mtu: number;
}

/** The table in which arptables keeps its rules, where there was none: it makes one, and never takes it away. */
export interface ArpTableChange {
  readonly kind: 'arp-table';
}

/** A chain of that table that was not there, whether or not the table was. */
export interface ArpChainChange {
  readonly kind: 'arp-chain';
  readonly chain: ArpChain;
}

/** A rule of arptables, which keeps the machine silent about one VIP alone. */
export interface ArpRuleChange {
  readonly kind: 'arp-rule';
  readonly chain: ArpChain;
  /** As arptables takes it. */
  readonly rule: readonly string[];
}

/** Programs of ours that know which client a socket has, in the cgroup of all processes. */
export interface ClientsChange {
  readonly kind: 'clients';
}

/** And at ingress the one that learns it. */
export interface LearnerChange {
  readonly kind: 'learner';
  readonly interface: InterfaceRef;
}

/** It is believed who clients are. */
export interface DirectorChange {
  readonly kind: 'director';
  /** As readDirector() spells it. */
  readonly director: string;
}

export type Change =
  | SettingChange
  | AddressChange
  | ArpTableChange
  | ArpChainChange
  | ArpRuleChange
  | QdiscChange
  | FilterChange
  | DecapsulationChange
  | PathMtuChange
  | ClientsChange
  | LearnerChange
  | DirectorChange;

/** What is changed: two changes with one key can't be there both. */
export function keyOf(change: Change): string {
  switch (change.kind) {
    case 'setting':
      return `setting ${change.interface === 'all' ? 'all' : change.interface.index} ${change.name}`;
    case 'qdisc':
    case 'learner':
      return `${change.kind} ${change.interface.index}`;
    case 'filter':
      return `filter ${change.interface.index} ${change.point}`;
    case 'address':
    case 'path-mtu':
      return `${change.kind} ${change.vip}`;
    case 'clients':
    case 'arp-table':
      return change.kind;
    case 'director':
      return `director ${change.director}`;
    case 'arp-chain':
      return `arp-chain ${change.chain}`;
    case 'arp-rule':
      return `arp-rule ${change.chain} ${change.rule.join(' ')}`;
    case 'decapsulation':
      return `decapsulation ${change.vip} ${formatTunnel(tunnelOf(change))}`;
  }
}

/** As a person reads it. */
export function formatChange(change: Change): string {
  switch (change.kind) {
    case 'setting':
      return `${formatSetting(change)}: ${change.before} -> ${change.after}`;
    case 'address':
      return `${hostPrefix(change.vip)} on lo, ${isSix(change.vip) ? 'deprecated' : 'scope host'}`;
    case 'qdisc':
      return `qdisc clsact on ${change.interface.name}`;
    case 'arp-table':
      return "the table of arptables' rules";
    case 'arp-chain':
      return `the chain ${change.chain} of arptables' rules`;
    case 'arp-rule':
      return formatArpRule(change);
    case 'filter':
      return change.point === 'ingress'
        ? `decapsulating program on ${change.interface.name}, ingress`
        : `program that bounds segments to the tunnel on ${change.interface.name}, egress`;
    case 'decapsulation':
      return `tunnelled packets for ${change.vip} are decapsulated (${formatTunnel(tunnelOf(change))})`;
    case 'clients':
      return 'programs that tell servers their clients, for all processes';
    case 'learner':
      return `program that learns clients on ${change.interface.name}, ingress`;
    case 'director':
      return `${change.director} is believed who clients are`;
    case 'path-mtu':
      return `clients of ${change.vip} are told what fits into packets of ${change.mtu} bytes`;
  }
}

export function tunnelOf({ tunnel = ipip }: DecapsulationChange): TunnelEnd {
  return tunnel;
}

/** As arptables takes it. */
export function formatArpRule({ chain, rule }: ArpRuleChange): string {
  return `arptables -I ${chain} ${rule.join(' ')}`;
}

/** The address alone, as a prefix. */
export function hostPrefix(address: string): string {
  return `${address}/${isSix(address) ? 128 : 32}`;
}

export function formatSetting({ interface: where, name }: SettingChange): string {
  return `net.ipv4.conf.${where === 'all' ? 'all' : where.name}.${name}`;
}
