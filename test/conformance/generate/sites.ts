// Random services, and the command lines that make and change them.

import type { Random } from '../../random.ts';
import { has, schedulers } from './features.ts';

/** One service, as it is to be or as it is. */
export interface Site {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly family: 4 | 6;
  readonly port: number;
  /** -m, -g or -i. */
  readonly method: string;
  /** Some of its real servers take only so many connections. */
  readonly hasThresholds: boolean;
  readonly isPersistent: boolean;
  /** Real servers, by number. */
  readonly present: Set<number>;
}

export const realServers: readonly number[] = [1, 2, 3, 4, 5];
const PERSISTENT = { 4: ['-p 300', '-p 600 -M 255.255.255.0', '-p'], 6: ['-p 300', '-p 600 -M 64', '-p'] } as const;

export function makeSite(random: Random, port: number): Site {
  return {
    protocol: random.pick(['tcp', 'tcp', 'tcp', 'udp', ...(has('sctp') ? (['sctp'] as const) : [])]),
    family: has('ipv6') && random.once(3) ? 6 : 4,
    port,
    method: random.pick(['-m', '-m', '-g', '-i']),
    hasThresholds: has('thresholds') && random.once(4),
    isPersistent: has('persistence') && random.once(3),
    present: new Set(),
  };
}

export function vipOf({ family }: Site): string {
  return family === 6 ? '$VIP6' : '$VIP';
}

/** As options of ipvsadm name it. */
export function nameOf({ protocol, family, port }: Site): string {
  const option = protocol === 'sctp' ? '--sctp-service' : `-${protocol[0]}`;
  return `${option} ${family === 6 ? '[fd00:a::100]' : '10.0.0.100'}:${port}`;
}

export function createSite(random: Random, site: Site): string {
  return `ipvs '-A ${nameOf(site)} ${scheduling(random, site)}'`;
}

export function editSite(random: Random, site: Site): string {
  return `ipvs '-E ${nameOf(site)} ${scheduling(random, site)}'`;
}

export function deleteSite(site: Site): string {
  site.present.clear();
  return `ipvs '-D ${nameOf(site)}'`;
}

export function addServer(random: Random, site: Site, number: number): string {
  site.present.add(number);
  return `ipvs '-a ${serverOf(site, number)} ${facts(random, site)}'`;
}

export function editServer(random: Random, site: Site, number: number): string {
  return `ipvs '-e ${serverOf(site, number)} ${facts(random, site)}'`;
}

export function deleteServer(site: Site, number: number): string {
  site.present.delete(number);
  return `ipvs '-d ${serverOf(site, number)}'`;
}

function scheduling(random: Random, site: Site): string {
  const persistence = site.isPersistent ? ` ${random.pick(PERSISTENT[site.family])}` : '';
  return `-s ${random.pick(schedulers)}${persistence}`;
}

function serverOf(site: Site, number: number): string {
  const { family, method, port } = site;
  const address = family === 6 ? `[fd00:b::${number}]` : `10.1.0.${number}`;
  return `${nameOf(site)} -r ${address}:${method === '-m' ? 8000 + port : port}`;
}

function facts(random: Random, { method, hasThresholds }: Site): string {
  const upper = 1 + random.below(9);
  const thresholds = hasThresholds
    ? random.pick(['', ` -x ${upper}`, ` -x ${upper} -y ${1 + random.below(upper)}`])
    : '';
  return `${method} -w ${random.pick([0, 1, 1, 1, 2, 3, 4, 7, 20])}${thresholds}`;
}
