// Firewall rules on a real server that drop what clients send to the VIP, or its answers.
import { readFileSync } from 'node:fs';
import { ask } from '../ask.ts';
import { type Chain, type Dropping, type NftItem, readChains, reply, request, whatDropsFirst } from '../nft.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

export function firewall({ vips, system }: Ward): readonly Problem[] {
  const own = vips.filter(({ method }) => method !== 'fullnat');
  if (own.length === 0) return [];
  const items = readRuleset();
  const ports = listeningPorts();
  const outside = system.interfaces
    .filter(({ linkType, isUp }) => linkType === 'ether' && isUp)
    .map(({ name }) => name);
  const only = outside.length === 1 ? outside[0] : undefined;
  const chains = { 4: readChains(items, 4, only), 6: readChains(items, 6, only) };
  return own.flatMap(({ vip }) => {
    const met = chains[vip.includes(':') ? 6 : 4];
    const found = ports.map((port) => ({ port, ...whatDropsService(met, vip, port, only) }));
    return [...byRules(vip, found), ...byPolicy(vip, found)];
  });
}

/** None where there is no nft. */
export function readRuleset(): readonly NftItem[] {
  return ask<{ readonly nftables?: readonly NftItem[] }>(['nft', '-j', 'list', 'ruleset'])?.nftables ?? [];
}

interface Found {
  readonly port: number;
  readonly dropping?: Dropping | undefined;
  readonly isReply?: boolean;
}

function whatDropsService(chains: readonly Chain[], vip: string, port: number, only?: string): Omit<Found, 'port'> {
  const dropping = whatDropsFirst(chains, ['ingress', 'prerouting', 'input'], request(vip, port, only));
  if (dropping !== undefined) return { dropping, isReply: false };
  return {
    dropping: whatDropsFirst(chains, ['output', 'postrouting', 'egress'], reply(vip, port, only)),
    isReply: true,
  };
}

/** Each rule once: it drops something on purpose, and perhaps more than was meant. */
function byRules(vip: string, found: readonly Found[]): readonly Problem[] {
  const told = new Set<string>();
  return found.flatMap(({ port, dropping, isReply = false }) => {
    if (dropping?.remove === undefined || told.has(dropping.text)) return [];
    told.add(dropping.text);
    return [toProblem(`${vip}:${port}`, dropping, isReply, dropping.remove)];
  });
}

/** Which ports are the director's services can't be known here: a policy that lets some of them through is meant so. */
function byPolicy(vip: string, found: readonly Found[]): readonly Problem[] {
  const [first] = found;
  if (first?.dropping === undefined) return [];
  if (!found.every(({ dropping }) => dropping !== undefined && dropping.remove === undefined)) return [];
  const isReply = first.isReply ?? false;
  const all = found.map(({ port }) => port).join(', ');
  const family = vip.includes(':') ? 'ip6' : 'ip';
  const match = isReply ? `${family} saddr ${vip} tcp sport { ${all} }` : `${family} daddr ${vip} tcp dport { ${all} }`;
  return [toProblem(vip, first.dropping, isReply, `nft 'add rule ${first.dropping.place} ${match} accept'`)];
}

function toProblem(what: string, { text }: Dropping, isReply: boolean, command: string): Problem {
  return {
    id: 'firewall',
    wrong: isReply
      ? `the firewall here drops answers from ${what}`
      : `the firewall here drops what clients send to ${what}`,
    why: 'gate and tunnel: it comes from clients themselves and is for the VIP, and goes back from the VIP: both must pass as such',
    evidence: `\`nft list ruleset\`: ${text}`,
    mend: { command, isSafe: false },
  };
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
