// Firewall rules on a real server that drop what clients send to the VIP, or its answers; by full NAT, what directors send.
import { readFileSync } from 'node:fs';
import { ask } from '../ask.ts';
import {
  type Attempt,
  type Chain,
  type Dropping,
  type NftItem,
  readChains,
  reply,
  request,
  whatDropsFirst,
} from '../nft.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';
import { believed } from './own-directors.ts';

export function firewall(ward: Ward): readonly Problem[] {
  const subjects = [...ward.vips.flatMap((one) => ofVip(one, ward)), ...ofDirectors(ward)];
  if (subjects.length === 0) return [];
  const items = readRuleset();
  const ports = listeningPorts();
  const outside = ward.system.interfaces
    .filter(({ linkType, isUp }) => linkType === 'ether' && isUp)
    .map(({ name }) => name);
  const only = outside.length === 1 ? outside[0] : undefined;
  const chains = { 4: readChains(items, 4, only), 6: readChains(items, 6, only) };
  const told = new Map<string, Problem>();
  for (const subject of subjects) {
    const met = chains[isSix(subject.address) ? 6 : 4];
    const found = ports.map((port) => whatDropsAttempt(met, { ...subject, port, interface: only }));
    for (const { problem, text } of [...byRules(subject, found), ...byPolicy(subject, found)])
      if (!told.has(text)) told.set(text, problem);
  }
  return [...told.values()];
}

/** None where there is no nft. */
export function readRuleset(): readonly NftItem[] {
  return ask<{ readonly nftables?: readonly NftItem[] }>(['nft', '-j', 'list', 'ruleset'])?.nftables ?? [];
}

/** Whose connections to what. */
interface Subject {
  readonly address: string;
  /** undefined: anybody's. */
  readonly client?: string;
  readonly what: string;
  readonly why: string;
  /** Who is meant to reach all that listens, or nothing of it: a rule that lets only some in by their addresses is meant so. */
  readonly isAllOrNothing?: boolean;
}

function ofVip({ vip, method }: Ward['vips'][number], { asked }: Ward): readonly Subject[] {
  if (method === 'fullnat') return [];
  const why =
    'gate and tunnel: it comes from clients themselves and is for the VIP, and goes back from the VIP: both must pass as such';
  const clients = asked.clients.filter((client) => isSix(client) === isSix(vip));
  return [
    { address: vip, what: 'clients send', why },
    ...clients.map((client) => ({ address: vip, client, what: `the client ${client} sends`, why })),
  ];
}

/** Directors speak to the address by which they are answered. */
function ofDirectors({ vips, network }: Ward): readonly Subject[] {
  if (!vips.some(({ method }) => method === 'fullnat')) return [];
  const why = 'fullnat: what clients send comes from the director, and is for the real server itself';
  return believed().flatMap((director) => {
    const address = network.wayTo(director)?.source;
    if (address === undefined) return [];
    const what = `the director ${director} sends`;
    return [
      { address, what, why },
      { address, client: director, what, why, isAllOrNothing: true },
    ];
  });
}

interface Found {
  readonly port: number;
  readonly dropping: Dropping | undefined;
  readonly isReply: boolean;
}

function whatDropsAttempt(chains: readonly Chain[], attempt: Attempt): Found {
  const { port } = attempt;
  const dropping = whatDropsFirst(chains, ['ingress', 'prerouting', 'input'], request(attempt));
  if (dropping !== undefined) return { port, dropping, isReply: false };
  return {
    port,
    dropping: whatDropsFirst(chains, ['output', 'postrouting', 'egress'], reply(attempt)),
    isReply: true,
  };
}

interface Told {
  readonly problem: Problem;
  /** Each is told once: a rule for all that it drops, a chain's policy for each address. */
  readonly text: string;
}

/** One that drops something on purpose, and perhaps more than was meant. */
function byRules(subject: Subject, found: readonly Found[]): readonly Told[] {
  if (subject.isAllOrNothing === true && !found.every(({ dropping }) => dropping !== undefined)) return [];
  return found.flatMap(({ port, dropping, isReply }) =>
    dropping?.remove === undefined
      ? []
      : [toProblem(subject, `${subject.address}:${port}`, dropping, isReply, dropping.remove)],
  );
}

/** Which ports are the director's services can't be known here: a policy that lets some of them through is meant so. */
function byPolicy(subject: Subject, found: readonly Found[]): readonly Told[] {
  const [first] = found;
  if (first?.dropping === undefined) return [];
  if (!found.every(({ dropping }) => dropping !== undefined && dropping.remove === undefined)) return [];
  const { address, client } = subject;
  const { isReply } = first;
  const all = found.map(({ port }) => port).join(', ');
  const [ip, here, there, end] = [
    isSix(address) ? 'ip6' : 'ip',
    ...(isReply ? ['saddr', 'daddr', 'sport'] : ['daddr', 'saddr', 'dport']),
  ];
  const peer = client === undefined ? '' : `${ip} ${there} ${client} `;
  const match = `${peer}${ip} ${here} ${address} tcp ${end} { ${all} }`;
  const command = `nft 'add rule ${first.dropping.place} ${match} accept'`;
  const told = toProblem(subject, address, first.dropping, isReply, command);
  return [{ ...told, text: `${address} ${told.text}` }];
}

function toProblem(
  { client, what, why }: Subject,
  target: string,
  { text }: Dropping,
  isReply: boolean,
  command: string,
): Told {
  const problem: Problem = {
    id: 'firewall',
    wrong: isReply
      ? `the firewall here drops answers from ${target}${client === undefined ? '' : ` to ${client}`}`
      : `the firewall here drops what ${what} to ${target}`,
    why,
    evidence: `\`nft list ruleset\`: ${text}`,
    mend: { command, isSafe: false },
  };
  return { problem, text };
}

function isSix(address: string): boolean {
  return address.includes(':');
}

/** Of TCP; state 0A is LISTEN. Of this machine alone, 127.0.0.1 and ::1, are none of the VIP's. */
function listeningPorts(): readonly number[] {
  const ports = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/self/net/${name}`, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [, local = '', , state] = line.trim().split(/\s+/);
        const [address, port = ''] = local.split(':');
        return state === '0A' && !isLoopback(address) ? [Number.parseInt(port, 16)] : [];
      }),
  );
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** In the words of the kernel, each in this machine's order of bytes. */
function isLoopback(address = ''): boolean {
  return address === '0100007F' || address === '00000000000000000000000001000000';
}
