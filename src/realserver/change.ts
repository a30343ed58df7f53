// What making a real server changes in a network namespace: each change as data that tells how to make it and undo it.

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

/** The decapsulating program at TC ingress. */
export interface FilterChange {
  readonly kind: 'filter';
  readonly interface: InterfaceRef;
}

/** The program takes packets for this VIP. */
export interface DecapsulationChange {
  readonly kind: 'decapsulation';
  readonly vip: string;
  /** Absent: IP in IP. */
  readonly tunnel?: TunnelEnd;
}

export type Change = SettingChange | AddressChange | QdiscChange | FilterChange | DecapsulationChange;

/** What is changed: two changes with one key can't be there both. */
export function keyOf(change: Change): string {
  switch (change.kind) {
    case 'setting':
      return `setting ${change.interface === 'all' ? 'all' : change.interface.index} ${change.name}`;
    case 'qdisc':
    case 'filter':
      return `${change.kind} ${change.interface.index}`;
    case 'address':
      return `address ${change.vip}`;
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
    case 'filter':
      return `decapsulating program on ${change.interface.name}, ingress`;
    case 'decapsulation':
      return `tunnelled packets for ${change.vip} are decapsulated (${formatTunnel(tunnelOf(change))})`;
  }
}

export function tunnelOf({ tunnel = ipip }: DecapsulationChange): TunnelEnd {
  return tunnel;
}

/** The address alone, as a prefix. */
export function hostPrefix(address: string): string {
  return `${address}/${isSix(address) ? 128 : 32}`;
}

export function formatSetting({ interface: where, name }: SettingChange): string {
  return `net.ipv4.conf.${where === 'all' ? 'all' : where.name}.${name}`;
}
