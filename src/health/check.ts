// What can be asked of a real server, and of whom: plain values that configuration makes.
import type { Address } from '../model/address.ts';
import type { Match } from './match.ts';

export interface Target {
  /** Where probes go: the real server's own address, or one whose packets take the path of clients' to it. */
  readonly address: Address;
  readonly port: number;
  /** Who it is, for programs that ask. */
  readonly rip: Address;
  readonly vip?: Address;
  readonly vport?: number;
}

export type Check = TcpCheck | HttpCheck | DnsCheck | UdpCheck | SmtpCheck | IcmpCheck | ExecCheck | AgentCheck;

export type CheckType = Check['type'];

/** It takes a connection. */
export interface TcpCheck {
  readonly type: 'tcp';
}

export interface HttpCheck {
  readonly type: 'http' | 'https';
  readonly method: string;
  /** The Host header; absent: the address. */
  readonly host?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Statuses that are well, each from and to. */
  readonly statuses: readonly (readonly [number, number])[];
  readonly body?: Match;
  /** Of https. */
  readonly tls?: TlsOptions;
}

export interface TlsOptions {
  /** Server name indication, and what the certificate is verified for; absent: the host. */
  readonly name?: string;
  readonly isVerified: boolean;
  /** PEM, in place of the system's authorities. */
  readonly authorities?: string;
}

export const dnsTypes = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const;

export interface DnsCheck {
  readonly type: 'dns';
  readonly name: string;
  readonly recordType: (typeof dnsTypes)[number];
  /** One of the answers must be this; absent: any answer will do. */
  readonly answer?: string;
}

export interface UdpCheck {
  readonly type: 'udp';
  readonly send: Uint8Array;
  /** Absent: it is up unless ICMP tells that it can't be reached, so a probe takes as long as its timeout. */
  readonly expect?: Match;
}

export interface SmtpCheck {
  readonly type: 'smtp';
  readonly helo: string;
}

export interface IcmpCheck {
  readonly type: 'icmp';
}

export interface ExecCheck {
  readonly type: 'exec';
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Status 0 is up; 1 is down; with this 2 to 255 are up with a weight of the status less 2, as keepalived's misc_dynamic. */
  readonly setsWeight: boolean;
}

/** HAProxy's agent-check. */
export interface AgentCheck {
  readonly type: 'agent';
  /** Sent once it is connected; absent: nothing. */
  readonly send?: string;
}
