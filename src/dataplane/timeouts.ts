// How long idle connections live, by their state: IPVS's values, of which three can be set.
import { type FlowState, longestTimeoutS, type Timeouts } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import type { Maps } from './maps.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Source: tcp_timeouts, udp_timeouts and sctp_timeouts of ip_vs_proto_tcp.c, ip_vs_proto_udp.c and ip_vs_proto_sctp.c. */
const fixed: Readonly<Record<Exclude<FlowState, 'ESTABLISHED' | 'FIN_WAIT' | 'UDP' | 'UDP_UNTOLD'>, number>> = {
  NONE: 2,
  SYN_SENT: 120,
  SYN_RECV: 60,
  TIME_WAIT: 120,
  CLOSE: 10,
  CLOSE_WAIT: 60,
  LAST_ACK: 30,
  LISTEN: 120,
  SYNACK: 120,
  SCTP_INIT1: 4,
  SCTP_INIT: 61,
  SCTP_COOKIE_SENT: 61,
  SCTP_COOKIE_REPLIED: 61,
  SCTP_COOKIE_WAIT: 61,
  SCTP_COOKIE: 61,
  SCTP_COOKIE_ECHOED: 61,
  SCTP_ESTABLISHED: 900,
  SCTP_SHUTDOWN_SENT: 61,
  SCTP_SHUTDOWN_RECEIVED: 61,
  SCTP_SHUTDOWN_ACK_SENT: 61,
  SCTP_REJECTED: 4,
  SCTP_CLOSED: 61,
  ASSURED: 0, // of no connection
};

/** struct settings' timeout_s, as far as there are states. */
export function timeoutRow({ states }: Vocabulary, { tcp, tcpFin, udp }: Timeouts): readonly number[] {
  const row: number[] = [];
  const settable = { ESTABLISHED: tcp, FIN_WAIT: tcpFin, UDP: udp, UDP_UNTOLD: udp };
  for (const [state, seconds] of Object.entries({ ...fixed, ...settable })) {
    row[states.number(state as FlowState)] = seconds;
  }
  return row;
}

export function readTimeoutRow(maps: Maps): readonly number[] {
  return maps.rows('settings').read<{ timeout_s: readonly number[] }>(0).timeout_s;
}

export function readTimeouts(maps: Maps): Timeouts {
  const row = readTimeoutRow(maps);
  const of = (state: FlowState): number => row[maps.vocabulary.states.number(state)] ?? 0;
  return { tcp: of('ESTABLISHED'), tcpFin: of('FIN_WAIT'), udp: of('UDP') };
}

/** 0 keeps what is there. */
export function writeTimeouts(maps: Maps, wanted: Timeouts): void {
  const installed = readTimeouts(maps);
  maps.rows('settings').patch(0, { timeout_s: timeoutRow(maps.vocabulary, mergedTimeouts(installed, wanted)) });
}

export function mergedTimeouts(installed: Timeouts, wanted: Timeouts): Timeouts {
  for (const seconds of Object.values(wanted)) {
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > longestTimeoutS) {
      throw new FairleadError(
        'out-of-range',
        `expected a timeout from 0 to ${longestTimeoutS} seconds, got ${seconds}`,
      );
    }
  }
  return {
    tcp: wanted.tcp || installed.tcp,
    tcpFin: wanted.tcpFin || installed.tcpFin,
    udp: wanted.udp || installed.udp,
  };
}
