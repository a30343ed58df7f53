// Health checks as they are declared: what is asked of a real server, how often, and what its answers lead to. Pure values.
import type { Address } from './address.ts';

/** All of a destination's checks have to pass for it to be up. */
export interface Check {
  readonly checker: Checker;
  readonly intervalMs: number;
  /** Of one probe, from its first packet to its verdict. */
  readonly timeoutMs: number;
  /** Probes in a row that have to pass before a destination that is down is up again. */
  readonly rise: number;
  /** Probes in a row that have to fail before one that is up is down. */
  readonly fall: number;
  /** Each interval is shorter by a random time up to this: never longer, for `fall` intervals are a promise. */
  readonly jitterMs: number;
  /** Times that a probe is repeated, after retryDelayMs each, before it counts as failed. */
  readonly retries: number;
  readonly retryDelayMs: number;
  /** The first probe comes after a random time up to this, so that not all come at once. */
  readonly warmUpMs: number;
  /** What counts until the first probes have told. */
  readonly initially: 'up' | 'down';
  readonly target: ProbeTarget;
}

/** Where a probe goes, and how it leaves. */
export interface ProbeTarget {
  /**
   * `client`: as clients' packets do, for gate and tunnel to the VIP by the way to this real server; `direct`: to the RIP.
   * With masq and fullnat both are the RIP.
   */
  readonly path: 'client' | 'direct';
  /** Instead of the destination's, and then directly. */
  readonly address?: Address;
  /** Instead of the destination's. */
  readonly port?: number;
  /** The source address. */
  readonly source?: Address;
  /** SO_MARK, for the director's own routing rules. */
  readonly mark?: number;
}

export type Checker =
  | TcpChecker
  | HttpChecker
  | DnsChecker
  | UdpChecker
  | SmtpChecker
  | IcmpChecker
  | ExecChecker
  | AgentChecker
  | PassiveChecker;
export type CheckerKind = Checker['kind'];

/** A connection is made, and, when something is expected, the answer holds it. */
export interface TcpChecker {
  readonly kind: 'tcp';
  readonly send?: string;
  readonly expect?: Expectation;
}

export interface HttpChecker {
  readonly kind: 'http' | 'https';
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** HTTP's Host; absent: the VIP and port. */
  readonly host?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly statuses: readonly NumberRange[];
  readonly body?: Expectation;
  /** Of https only. */
  readonly tls?: Tls;
}

/** Of `https`, and of `smtp` with `tls`. */
export interface Tls {
  /** For SNI, and in the certificate; absent: the host, if it is a name. */
  readonly name?: string;
  readonly isVerified: boolean;
  /** File of PEM certificates to trust, instead of the system's. */
  readonly authorities?: string;
  /** The client's own, of PEM files. */
  readonly certificate?: string;
  readonly key?: string;
}

export interface DnsChecker {
  readonly kind: 'dns';
  readonly name: string;
  readonly type: DnsType;
  readonly transport: 'udp' | 'tcp';
  /** Texts, one of which has to be among the answers; empty: any answer without an error. */
  readonly answers: readonly string[];
}

export const dnsTypes = ['A', 'AAAA', 'NS', 'CNAME', 'SOA', 'PTR', 'MX', 'TXT', 'SRV'] as const;
export type DnsType = (typeof dnsTypes)[number];

/** Fails when an ICMP error comes back, and, if a reply is demanded, without one. */
export interface UdpChecker {
  readonly kind: 'udp';
  /** The datagram in hexadecimal; empty for none. */
  readonly sendHex: string;
  readonly isReplyRequired: boolean;
  readonly expect?: Expectation;
}

export interface SmtpChecker {
  readonly kind: 'smtp';
  readonly helo: string;
  /** STARTTLS is asked for. */
  readonly tls?: Tls;
}

export interface IcmpChecker {
  readonly kind: 'icmp';
}

/** A program, which finds the destination in its environment. */
export interface ExecChecker {
  readonly kind: 'exec';
  /** A path and its arguments; no shell is between. */
  readonly command: readonly string[];
  readonly user?: string;
  /** Exit status 0 passes, 2 to 255 pass with the weight `status - 2` (keepalived's misc_dynamic), 1 fails. */
  readonly setsWeight: boolean;
}

/** HAProxy's agent-check: one line of text that the real server sends, of a weight in per cent, up, down, drain and the like. */
export interface AgentChecker {
  readonly kind: 'agent';
  readonly port: number;
  /** Sent first. */
  readonly send?: string;
}

/** No probe: the data plane counts what real servers do with clients' connections. */
export interface PassiveChecker {
  readonly kind: 'passive';
  /** Connections unanswered or reset, within `withinMs`, that make the destination fail. */
  readonly failures: number;
  readonly withinMs: number;
  /** It gets no connections for so long, and is then tried again. */
  readonly pauseMs: number;
}

export type Expectation =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'regex'; readonly source: string; readonly flags: string; readonly isForbidden: boolean }
  /** Hexadecimal, of the whole body. */
  | { readonly kind: 'digest'; readonly algorithm: 'md5' | 'sha256'; readonly hex: string };

/** Both ends included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** What a probe's settings are where nothing says otherwise. */
export const checkDefaults = {
  intervalMs: 2000,
  timeoutMs: 1000,
  rise: 2,
  fall: 3,
  /** Of the interval. */
  jitterShare: 0.1,
  retries: 0,
  retryDelayMs: 200,
  initially: 'up',
} as const;
