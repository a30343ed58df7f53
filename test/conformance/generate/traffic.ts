// Random services under traffic: connections that stay and that end, real servers that come, go and change their weight.
import { has, schedulers } from './features.ts';
import type { Random } from './random.ts';

const STEPS = 22;

interface Site {
  readonly protocol: string;
  readonly option: string;
  readonly port: number;
  readonly method: string;
  /** Real servers, by number. */
  readonly present: Set<number>;
}

export function traffic(random: Random): string {
  const sites = Array.from({ length: 1 + random.below(2) }, (_, index) => makeSite(random, 80 + index));
  const lines = ['# Random services under traffic.', ...sites.flatMap((site) => install(random, site))];
  const ports = { next: 20000 };
  for (let step = 0; step < STEPS; step++) lines.push(...stepOf(random, random.pick(sites), ports));
  // Last, because what a reset ends is gone after ten seconds.
  lines.push('list', 'connections', `reset ${random.pick(['0-3', '2-5 server'])}`, 'connections', 'list');
  lines.push('settle', "ipvs '-Ln --stats'");
  return `${lines.join('\n')}\n`;
}

function makeSite(random: Random, port: number): Site {
  const protocol = random.pick(['tcp', 'tcp', 'tcp', 'udp', ...(has('sctp') ? ['sctp'] : [])]);
  const option = protocol === 'sctp' ? '--sctp-service' : `-${protocol[0]}`;
  return { protocol, option, port, method: random.pick(['-m', '-m', '-g', '-i']), present: new Set() };
}

function install(random: Random, site: Site): string[] {
  const persistent = has('persistence') ? random.maybe(4, () => ` -p ${random.pick(['100', '300'])}`) : '';
  const lines = [`ipvs '-A ${nameOf(site)} -s ${random.pick(schedulers)}${persistent}'`];
  for (const number of [1, 2, 3, 4]) if (!random.once(4)) lines.push(add(random, site, number));
  return lines;
}

function stepOf(random: Random, site: Site, ports: { next: number }): string[] {
  const kind = random.below(100);
  if (kind < 45) return [open(random, site, ports)];
  if (kind < 55) return [`close ${range(random)}${random.maybe(3, () => ' server')}`];
  if (kind < 62) return [`talk ${range(random)}`];
  if (kind < 68) return ['list'];
  if (kind < 71) return [`ipvs '-E ${nameOf(site)} -s ${random.pick(schedulers)}'`];
  if (kind < 73) return [`ipvs '-Ln ${nameOf(site)}'`];
  const number = 1 + random.below(5);
  if (!site.present.has(number)) return [add(random, site, number)];
  if (random.once(3)) {
    site.present.delete(number);
    return [`ipvs '-d ${nameOf(site)} -r ${realServer(site, number)}'`];
  }
  return [`ipvs '-e ${nameOf(site)} -r ${realServer(site, number)} ${site.method} -w ${weight(random)}'`];
}

/** Client ports are used once: a masqueraded real server can't tell two connections of one apart. */
function open(random: Random, site: Site, ports: { next: number }): string {
  const count = 1 + random.below(14);
  const from = ports.next;
  ports.next += count;
  const address = random.pick(['10.0.0.1', '10.0.0.5', '172.16.3.9']);
  const spread = random.maybe(2, () => ` addresses ${1 + random.below(9)}`);
  const ending = site.protocol === 'sctp' ? '' : random.pick(['', '', '', ' short', ' syn']);
  return `open ${count} ${site.protocol} ${address} ${from} $VIP ${site.port}${spread}${ending}`;
}

function add(random: Random, site: Site, number: number): string {
  site.present.add(number);
  return `ipvs '-a ${nameOf(site)} -r ${realServer(site, number)} ${site.method} -w ${weight(random)}'`;
}

function nameOf({ option, port }: Site): string {
  return `${option} 10.0.0.100:${port}`;
}

function realServer({ method, port }: Site, number: number): string {
  return `10.1.0.${number}:${method === '-m' ? 8000 + port : port}`;
}

function weight(random: Random): number {
  return random.pick([0, 1, 1, 1, 2, 3, 4, 7, 20]);
}

function range(random: Random): string {
  const from = random.below(12);
  return random.pick(['all', `${from}`, `${from}-${from + random.below(8)}`]);
}
