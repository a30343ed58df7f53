// Random services, and the command lines that make and change them.
import type { Random } from '../../random.ts';

/** One service, as it is to be or as it is. */
export interface Site {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly family: 4 | 6;
  readonly port: number;
  /** Instead of a VIP and port: those give packets this mark. */
  readonly mark: number | undefined;
  /** -m, -g, or -i with its options. */
  readonly method: string;
  /** Some of its real servers take only so many connections. */
  readonly hasThresholds: boolean;
  readonly isPersistent: boolean;
  readonly isOnePacket: boolean;
  /** Real servers, by number. */
  readonly present: Set<number>;
}

export const realServers: readonly number[] = [1, 2, 3, 4, 5];
/** With their flags. What Debian's kernel has no module of, twos, is not among them. */
export const schedulers: readonly string[] = [
  ...['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'dh', 'lblc', 'lblcr', 'fo', 'ovf', 'mh'],
  ...['sh -b sh-fallback', 'sh -b sh-port', 'sh -b sh-fallback,sh-port', 'mh -b mh-port', 'mh -b mh-fallback'],
];
const methods = [
  ...['-m', '-m', '-m', '-g', '-g', '-i'],
  ...['-i --tun-type gre', '-i --tun-type gre --tun-csum', '-i --tun-type gue --tun-port 6080'],
];
const PERSISTENT = { 4: ['-p 300', '-p 600 -M 255.255.255.0', '-p'], 6: ['-p 300', '-p 600 -M 64', '-p'] } as const;

export function makeSite(random: Random, port: number): Site {
  const protocol = random.pick(['tcp', 'tcp', 'tcp', 'udp', 'sctp'] as const);
  return {
    protocol,
    family: random.once(3) ? 6 : 4,
    port,
    mark: random.once(6) ? port : undefined,
    method: random.pick(methods),
    hasThresholds: random.once(4),
    isPersistent: random.once(3),
    isOnePacket: protocol === 'udp' && random.once(4),
    present: new Set(),
  };
}

/** The VIP, as scenarios name it. */
export function vipOf({ family }: Site): string {
  return family === 6 ? '$VIP6' : '$VIP';
}

/** As options of ipvsadm name it. */
export function nameOf({ protocol, family, port, mark }: Site): string {
  if (mark !== undefined) return `-f ${mark}${family === 6 ? ' -6' : ''}`;
  const option = protocol === 'sctp' ? '--sctp-service' : `-${protocol[0]}`;
  return `${option} ${family === 6 ? '[fd00:a::100]' : '10.0.0.100'}:${port}`;
}

/** What comes before the services, once. */
export function prepareSite(site: Site): readonly string[] {
  const { protocol, family, port, mark } = site;
  return [
    ...(mark === undefined ? [] : [`mark ${mark} ${protocol} ${vipOf(site)}/${family === 6 ? 128 : 32} ${port}`]),
    'gue 6080',
  ];
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

function scheduling(random: Random, { family, isPersistent, isOnePacket }: Site): string {
  const persistence = isPersistent ? ` ${random.pick(PERSISTENT[family])}` : '';
  return `-s ${random.pick(schedulers)}${persistence}${isOnePacket ? ' -o' : ''}`;
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
