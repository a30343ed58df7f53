// One request and its reply as they crossed each wire: a table for a person.

import { captureLagMs } from './claims/claim.ts';
import type { Ip, TcpFlags } from './packets.ts';
import { hostOfMac } from './plan.ts';
import type { Exchange, Scene } from './scene.ts';
import { type IpSighting, replyTrip, requestTrip } from './trip.ts';

export async function hopsOf(scene: Scene, exchange: Exchange): Promise<string[]> {
  const complete = (): boolean =>
    replyTrip(scene, exchange).some(({ host, direction }) => host === 'client' && direction === 'in');
  await scene.wire.until(complete, captureLagMs, scene.signal);
  return [
    'request',
    ...table(scene, requestTrip(scene, exchange)),
    'reply',
    ...table(scene, replyTrip(scene, exchange)),
  ];
}

/** Each frame once, as its sender put it on the wire. */
function table(scene: Scene, trip: readonly IpSighting[]): string[] {
  const rows = trip.filter(({ direction }) => direction === 'out').map((sighting) => row(scene, sighting));
  const widths = rows.reduce<number[]>(
    (most, cells) => cells.map((cell, index) => Math.max(cell.length, most[index] ?? 0)),
    [],
  );
  return rows.map((cells) => `  ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd());
}

function row(scene: Scene, { host, source, destination, body }: IpSighting): string[] {
  return [`${host} > ${hostOfMac(scene.plan, destination) ?? '?'}`, `${source} > ${destination}`, formatIp(body)];
}

function formatIp(ip: Ip): string {
  const { body } = ip;
  if (body?.kind === 'ip') return `${ip.source} > ${ip.destination} ttl ${ip.ttl} IPIP [ ${formatIp(body)} ]`;
  if (body?.kind !== 'tcp' && body?.kind !== 'udp') return `${ip.source} > ${ip.destination} ttl ${ip.ttl}`;
  const ends = `${ip.source}:${body.sourcePort} > ${ip.destination}:${body.destinationPort}`;
  const segment = body.kind === 'tcp' ? `TCP ${formatFlags(body.flags)} seq ${body.sequence}` : 'UDP';
  return `${ends} ttl ${ip.ttl} ${segment}`;
}

function formatFlags(flags: TcpFlags): string {
  return Object.entries(flags)
    .filter(([, set]) => set)
    .map(([name]) => name)
    .join(',');
}
