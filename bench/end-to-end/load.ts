// What the client does, and what CPU time that took of everybody who had a part in it.
import { cpuUs } from '../cpu.ts';
import type { Host, Network } from './network.ts';

export interface HttpLoad {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of client, director and real server for one. */
  readonly cpuUs: number;
}

const wrk = ['wrk', '--threads', '2', '--connections', '32', '--timeout', '5s', '--latency'];

/** As many requests as 32 connections that always ask can have answered; `isClosing`: each by a connection of its own. */
export async function askAlways(
  network: Network,
  target: string,
  { seconds, isClosing }: { readonly seconds: number; readonly isClosing: boolean },
): Promise<HttpLoad> {
  const header = isClosing ? ['--header', 'Connection: close'] : [];
  const before = cpuUs(network.children.map(({ pid }) => pid));
  const report = await network.client.run([...wrk, '--duration', `${seconds}s`, ...header, `http://${target}:80/`]);
  const used = cpuUs(network.children.map(({ pid }) => pid)) - before;
  const requests = Number(/(\d+) requests in/.exec(report)?.[1] ?? 0);
  const failures = report.match(/^ *(?:Socket errors|Non-2xx).*$/gm);
  if (requests === 0 || failures !== null) throw new Error(`wrk at ${target}: ${failures?.join('; ') ?? report}`);
  return {
    perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(report)?.[1]),
    p50Us: latencyUs(report, 50),
    p99Us: latencyUs(report, 99),
    cpuUs: used / requests,
  };
}

/** wrk says `1.23ms`. */
function latencyUs(report: string, percentile: number): number {
  const [, number, unit = ''] = new RegExp(`^ +${percentile}% +([\\d.]+)(us|ms|s)$`, 'm').exec(report) ?? [];
  const factors: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6 };
  return Number(number) * (factors[unit] ?? Number.NaN);
}

/** Gbit/s that arrive of one flow. */
export async function sendAlways(
  client: Host,
  target: string,
  { seconds, protocol }: { readonly seconds: number; readonly protocol: 'tcp' | 'udp' },
): Promise<number> {
  // A datagram that fits any way here, the tunnel's too.
  const udp = protocol === 'udp' ? ['--udp', '--bitrate', '0', '--length', '1400'] : [];
  const text = await client.run(['iperf3', '--client', target, '--time', String(seconds), '--json', ...udp]);
  const { sum, sum_received: received = sum } = (JSON.parse(text) as Iperf).end;
  const lost = protocol === 'udp' ? (sum?.lost_percent ?? 0) / 100 : 0;
  return ((received?.bits_per_second ?? 0) * (1 - lost)) / 1e9;
}

interface Iperf {
  readonly end: { readonly sum?: Sum; readonly sum_received?: Sum };
}

interface Sum {
  readonly bits_per_second: number;
  readonly lost_percent?: number;
}
