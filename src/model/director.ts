// What a director tells and takes, apart from how the kernel holds it: the command lines, the API and the tests' fake share it.
import type { Address } from './address.ts';
import type { Destination, Method, Protocol, Service, ServiceIdentity, Table } from './service.ts';
import type { SyncDaemon } from './sync.ts';

/** Counters since creation or the last zero. Bytes are of layer 3, as IPVS counts them. */
export interface Counters {
  readonly connections: bigint;
  readonly inPackets: bigint;
  readonly outPackets: bigint;
  readonly inBytes: bigint;
  readonly outBytes: bigint;
}

/** IPVS's estimator (ip_vs_est.c): an average that moves a quarter of the way every 2 seconds; per second. */
export interface Rates {
  readonly connections: bigint;
  readonly inPackets: bigint;
  readonly outPackets: bigint;
  readonly inBytes: bigint;
  readonly outBytes: bigint;
}

/** Of a destination, what can be asked of many and often. */
export interface Load {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  /** How often a connection of TCP was asked for again, or refused, before it was there; it only grows. Absent: not counted. */
  readonly failures?: number;
}

/** By destinationSubject's text. */
export type Loads = ReadonlyMap<string, Load>;

export interface InstalledDestination extends Destination, Load {
  readonly persistentConnections: number;
  readonly counters: Counters;
  readonly rates: Rates;
}

export interface InstalledService extends Omit<Service, 'destinations'> {
  readonly destinations: readonly InstalledDestination[];
  readonly counters: Counters;
  readonly rates: Rates;
}

/** TCP states by IPVS's names (ip_vs_proto_tcp.c), UDP's only one, and SCTP's, whose names stateLabel() tells. */
export const flowStates = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'SYNACK',
  'UDP',
  'SCTP_INIT1',
  'SCTP_INIT',
  'SCTP_COOKIE_SENT',
  'SCTP_COOKIE_REPLIED',
  'SCTP_COOKIE_WAIT',
  'SCTP_COOKIE',
  'SCTP_COOKIE_ECHOED',
  'SCTP_ESTABLISHED',
  'SCTP_SHUTDOWN_SENT',
  'SCTP_SHUTDOWN_RECEIVED',
  'SCTP_SHUTDOWN_ACK_SENT',
  'SCTP_REJECTED',
  'SCTP_CLOSED',
  'ASSURED',
  'UDP_UNTOLD',
] as const;
export type FlowState = (typeof flowStates)[number];

/** Source: sctp_state_name_table of ip_vs_proto_sctp.c. The last one is our own, of a connection that to IPVS is just UDP. */
const labels: Partial<Record<FlowState, string>> = {
  SCTP_INIT1: 'INIT1',
  SCTP_INIT: 'INIT',
  SCTP_COOKIE_SENT: 'C-SENT',
  SCTP_COOKIE_REPLIED: 'C-REPLIED',
  SCTP_COOKIE_WAIT: 'C-WAIT',
  SCTP_COOKIE: 'COOKIE',
  SCTP_COOKIE_ECHOED: 'C-ECHOED',
  SCTP_ESTABLISHED: 'ESTABLISHED',
  SCTP_SHUTDOWN_SENT: 'S-SENT',
  SCTP_SHUTDOWN_RECEIVED: 'S-RECEIVED',
  SCTP_SHUTDOWN_ACK_SENT: 'S-ACK-SENT',
  SCTP_REJECTED: 'REJECTED',
  SCTP_CLOSED: 'CLOSED',
  UDP_UNTOLD: 'UDP',
};

/** As IPVS shows a state. */
export function stateLabel(state: FlowState): string {
  return labels[state] ?? state;
}

/** `esp` and `ah`: by a mark's service, without ports. `ip`: the template of a mark, which is for all protocols. */
export type ConnectionProtocol = Protocol | 'esp' | 'ah' | 'ip';

export interface Connection {
  readonly protocol: ConnectionProtocol;
  readonly state: FlowState;
  /** It is none, but what a persistent service remembers a client by: without a client's port. */
  readonly isTemplate?: boolean;
  /** Seconds until it expires unless another packet comes. */
  readonly expiresInS: number;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  /** fullnat's source towards the real server. */
  readonly local?: Endpoint;
  readonly destination: Endpoint;
  readonly method: Method;
  /** Of a template that a persistence engine has made: its name, and what it tells clients apart by. */
  readonly engine?: { readonly name: string; readonly data: string };
}

export interface ConnectionPage {
  readonly connections: readonly Connection[];
  /** Where the next page begins; undefined: this is the last. */
  readonly next: number | undefined;
}

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** Seconds. ipvsadm --set. */
export interface Timeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/** Of the kernel's ip_vs_ctl.c it is INT_MAX / HZ; this is that at the highest HZ. */
export const longestTimeoutS = 2_147_483;

/** IPVS's own, until someone sets others. */
export const defaultTimeouts: Timeouts = { tcp: 900, tcpFin: 120, udp: 300 };

/** One network namespace's director. Reads are consistent for each service; a change is a transaction. */
export interface Director extends Disposable {
  /** In the order they were added. */
  services(): readonly InstalledService[];
  connections(): Iterable<Connection>;
  timeouts(): Timeouts;
  setTimeouts(timeouts: Timeouts): void;
  /** Those that were started and not stopped. Nothing is synchronised yet. */
  syncDaemons(): readonly SyncDaemon[];
  /** Runs `edit` under the namespace's lock and remembers what it returns. */
  changeSyncDaemons(edit: (present: readonly SyncDaemon[]) => readonly SyncDaemon[]): void;
  /** Runs `edit` on the installed table under the namespace's lock and installs what it returns, whole or not at all. */
  change(edit: (installed: Table) => Table): void;
  /** Zeroes the counters of one service and its destinations, or of all; throws `service-missing` without that service. */
  zero(identity?: ServiceIdentity): void;
}

/** Opens the calling network namespace's director. Where there is none yet it makes one, or, without `create`, returns undefined. */
export type OpenDirector = (options: {
  readonly create: boolean;
  /** Told of what is not as one might expect, and no reason to fail. */
  readonly warn?: (text: string) => void;
}) => Director | undefined;
