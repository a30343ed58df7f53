// Everything that a configuration declares, with each default in its place: what is to hold, whatever holds now. Pure values.
import type { Address } from './address.ts';
import type { Check } from './check.ts';
import type { Timeouts } from './director.ts';
import type { MarkRules } from './mark.ts';
import type { Destination, OnRemove, Service } from './service.ts';
import type { Settings } from './settings.ts';

export interface Declared {
  readonly services: readonly DeclaredService[];
  readonly markRules: MarkRules;
  readonly addresses: readonly HeldAddress[];
  /** Those that are named. */
  readonly settings: Partial<Settings>;
  readonly timeouts: Partial<Timeouts>;
  readonly api: Api;
  /** undefined: no metrics by a port of their own; the API has them anyway. */
  readonly metrics: Metrics | undefined;
  readonly log: Log;
}

/** `destinations` in the order of the file. */
export interface DeclaredService extends Omit<Service, 'destinations'> {
  readonly destinations: readonly DeclaredDestination[];
  readonly onRemove: OnRemove;
  /** What destinations that are down become: such as take no new connections, or none. */
  readonly onFailure: OnFailure;
  readonly quorum: Quorum;
  /** Takes the place of all destinations while the quorum is lost. */
  readonly sorryServer: Destination | undefined;
  /** A destination that comes back reaches its weight after so long; 0: at once. */
  readonly slowStartMs: number;
  readonly notify: Notify;
}

export interface DeclaredDestination extends Destination {
  readonly checks: readonly Check[];
  /** What it becomes when it is down: by default as its service says. */
  readonly onFailure: OnFailure;
  /** Of this destination alone. */
  readonly notify: Pick<Notify, 'up' | 'down'>;
}

export const onFailures = ['remove', 'weight-0'] as const;
export type OnFailure = (typeof onFailures)[number];

/** Sums of the weights of destinations that are up, as keepalived counts. */
export interface Quorum {
  /** Lost below `weight - hysteresis`, and there again from `weight + hysteresis` on. */
  readonly weight: number;
  readonly hysteresis: number;
}

/** Programs with their arguments. What happened is in their environment. */
export interface Notify {
  readonly up?: readonly string[];
  readonly down?: readonly string[];
  readonly quorumUp?: readonly string[];
  readonly quorumDown?: readonly string[];
}

/** A VIP on an interface. */
export interface HeldAddress {
  readonly interface: string;
  readonly address: Address;
  readonly prefixLength: number;
}

export interface Api {
  readonly socket: UnixSocket;
  /** undefined: the socket only. */
  readonly listen: Listener | undefined;
  readonly tokens: readonly Token[];
}

export interface UnixSocket {
  readonly path: string;
  /** Its members may use it; undefined: root alone. */
  readonly group: string | undefined;
}

export interface Listener {
  readonly address: Address;
  readonly port: number;
  /** Files; undefined only on loopback addresses. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly clientAuthorities?: string } | undefined;
}

export const roles = ['read', 'write'] as const;
export type Role = (typeof roles)[number];

/** The token itself is never in memory: its digest is. */
export interface Token {
  readonly name: string;
  readonly role: Role;
  /** Of the token, in hexadecimal. */
  readonly sha256: string;
}

export interface Metrics {
  readonly address: Address;
  readonly port: number;
  readonly path: string;
  /** With more there are metrics of services only. */
  readonly mostDestinations: number;
}

export const defaultMostDestinations = 10_000;

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;

export interface Log {
  readonly level: (typeof logLevels)[number];
}

export const defaultSocketPath = '/run/fairlead/api.sock';
