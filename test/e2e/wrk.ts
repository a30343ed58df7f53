// wrk from the client: 64 connections that ask all the time.
import { inUrl, type Network } from './network.ts';

export interface WrkOptions {
  readonly seconds?: number;
  /** A new connection for each request. */
  readonly isClosing?: boolean;
}

export interface WrkResult {
  readonly requests: number;
  /** What wrk says went wrong; empty if nothing did. */
  readonly failures: string;
}

export async function runWrk(
  network: Network,
  { seconds = 1, isClosing = false }: WrkOptions = {},
): Promise<WrkResult> {
  const load = ['--threads', '2', '--connections', '64', '--duration', `${seconds}s`, '--timeout', '5s'];
  const header = isClosing ? ['--header', 'Connection: close'] : [];
  const report = await network.client.run('wrk', ...load, ...header, `http://${inUrl(network.vip)}/`);
  return {
    requests: Number(/(\d+) requests in/.exec(report)?.[1] ?? 0),
    failures: (report.match(/^ *(?:Socket errors|Non-2xx).*$/gm) ?? []).join('\n'),
  };
}
