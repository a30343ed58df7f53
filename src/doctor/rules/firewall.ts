// Firewall rules on a real server that drop what clients send to the VIP, or its answers; by full NAT, what directors send.
import { letIn } from '../firewall/let-in.ts';
import { type Dropping, readChains, whatDropsAttempt } from '../firewall/nft.ts';
import { readRuleset } from '../firewall/ruleset.ts';
import type { Problem } from '../problem.ts';
import { listeningPorts, portsOf, readSockets, type Socket } from '../sockets.ts';
import type { Ward } from '../ward.ts';
import { believed } from './own-directors.ts';

export function firewall(ward: Ward): readonly Problem[] {
  const sockets = readSockets();
  const subjects = [...ward.vips.flatMap((one) => ofVip(one, ward, sockets)), ...ofDirectors(ward)];
  if (subjects.length === 0) return [];
  const items = readRuleset();
  const ports = listeningPorts(sockets);
  const outside = ward.system.interfaces
    .filter(({ linkType, isUp }) => linkType === 'ether' && isUp)
    .map(({ name }) => name);
  const only = outside.length === 1 ? outside[0] : undefined;
  const chains = { 4: readChains(items, 4, only), 6: readChains(items, 6, only) };
  const told = new Map<string, Problem>();
  for (const subject of subjects) {
    const met = chains[isSix(subject.address) ? 6 : 4];
    const found = ports.map((port) => ({ port, ...whatDropsAttempt(met, { ...subject, port, interface: only }) }));
    for (const { problem, key } of judge(subject, found)) if (!told.has(key)) told.set(key, problem);
  }
  return [...told.values()];
}

/** Whose connections to what. */
export interface Subject {
  readonly address: string;
  /** undefined: anybody's. */
  readonly client?: string;
  readonly what: string;
  readonly why: string;
  /** Ports that are certainly meant to be reached there. */
  readonly ports: readonly number[];
  /** Who is meant to reach all that listens, or nothing of it: a rule that lets only some in by their addresses is meant so. */
  readonly isAllOrNothing?: boolean;
}

function ofVip({ vip, method }: Ward['vips'][number], { asked }: Ward, sockets: readonly Socket[]): readonly Subject[] {
  if (method === 'fullnat') return [];
  const why =
    'gate and tunnel: it comes from clients themselves and is for the VIP, and goes back from the VIP: both must pass as such';
  const ports = [...asked.ports, ...portsOf(vip, sockets)];
  const clients = asked.clients.filter((client) => isSix(client) === isSix(vip));
  return [
    { address: vip, what: 'clients send', why, ports },
    ...clients.map((client) => ({ address: vip, client, what: `the client ${client} sends`, why, ports })),
  ];
}

/** Directors speak to the address by which they are answered. */
function ofDirectors({ vips, network, asked: { ports } }: Ward): readonly Subject[] {
  if (!vips.some(({ method }) => method === 'fullnat')) return [];
  const why = 'fullnat: what clients send comes from the director, and is for the real server itself';
  return believed().flatMap((director) => {
    const address = network.wayTo(director)?.source;
    if (address === undefined) return [];
    const what = `the director ${director} sends`;
    return [
      { address, what, why, ports },
      { address, client: director, what, why, ports, isAllOrNothing: true },
    ];
  });
}

/** What becomes of a connection to a port at which something listens. */
export interface Found {
  readonly port: number;
  readonly dropping: Dropping | undefined;
  readonly isReply: boolean;
}

interface Dropped extends Found {
  readonly dropping: Dropping;
}

interface Told {
  readonly problem: Problem;
  /** Each is told once: a rule for all that it drops, what lets something in for each address. */
  readonly key: string;
}

export function judge(subject: Subject, found: readonly Found[]): readonly Told[] {
  const dropped = found.filter((one): one is Dropped => one.dropping !== undefined);
  const isAll = dropped.length === found.length;
  const told = [...byRules(subject, dropped, isAll), ...byPolicy(subject, dropped, isAll)];
  const groups = new Map<string, readonly Dropped[]>();
  for (const one of told) {
    const by = `${one.isReply} ${one.dropping.text}`;
    groups.set(by, [...(groups.get(by) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => toProblem(subject, group));
}

/** One that drops something on purpose, and perhaps more than was meant. */
function byRules(subject: Subject, dropped: readonly Dropped[], isAll: boolean): readonly Dropped[] {
  const own = dropped.filter(({ dropping }) => !dropping.isGeneral);
  return subject.isAllOrNothing === true && !isAll ? own.filter(({ port }) => subject.ports.includes(port)) : own;
}

/**
 * Which ports are the director's services can't be known here, but for some: a policy, or a rule like one, that lets others
 * through is meant so.
 */
function byPolicy(subject: Subject, dropped: readonly Dropped[], isAll: boolean): readonly Dropped[] {
  const general = dropped.filter(({ dropping }) => dropping.isGeneral);
  const certain = general.filter(({ port }) => subject.ports.includes(port));
  if (certain.length > 0) return certain;
  return isAll && general.length === dropped.length ? general : [];
}

/** Of all that the same rule or policy drops. */
function toProblem({ address, client, what, why }: Subject, group: readonly Dropped[]): readonly Told[] {
  const [first] = group;
  if (first === undefined) return [];
  const { dropping, isReply } = first;
  const ports = group.map(({ port }) => port);
  const target = `${isSix(address) ? `[${address}]` : address}:${ports.join(',')}`;
  const command = dropping.remove ?? letIn(dropping, { address, ports, client, isReply });
  const problem: Problem = {
    id: 'firewall',
    wrong: isReply
      ? `the firewall here drops answers from ${target}${client === undefined ? '' : ` to ${client}`}`
      : `the firewall here drops what ${what} to ${target}`,
    why,
    evidence: `\`${listing(dropping)}\`: ${dropping.text}`,
    mend: { command, isSafe: false },
  };
  return [{ problem, key: dropping.remove === undefined ? `${address} ${dropping.text}` : dropping.text }];
}

/** The command that shows it. */
function listing({ place }: Dropping): string {
  const [family = ''] = place.split(' ');
  return /^ip6?tables/.test(family) ? `${family}-save` : 'nft list ruleset';
}

function isSix(address: string): boolean {
  return address.includes(':');
}
