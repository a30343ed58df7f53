// Firewall rules on a real server that drop what clients send to the VIP.
import { readFileSync } from 'node:fs';
import { ask } from '../ask.ts';
import { type Chain, type Dropping, type NftItem, readChains, whatDrops } from '../nft.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

export function firewall({ vips }: Ward): readonly Problem[] {
  const own = vips.filter(({ method }) => method !== 'fullnat');
  if (own.length === 0) return [];
  const ruleset = ask<{ readonly nftables?: readonly NftItem[] }>(['nft', '-j', 'list', 'ruleset']);
  const items = ruleset?.nftables ?? [];
  const chains = { 4: readChains(items, 4), 6: readChains(items, 6) };
  const ports = listeningPorts();
  const told = new Set<string>();
  return own.flatMap(({ vip }) =>
    ports.flatMap((port) => {
      const found = firstDropping(chains[vip.includes(':') ? 6 : 4], vip, port);
      if (found === undefined || told.has(found.text)) return [];
      told.add(found.text);
      return [toProblem(vip, port, found)];
    }),
  );
}

/** Each hook's chains are walked in the order of their priorities, and a packet must pass them all. */
function firstDropping(chains: readonly Chain[], vip: string, port: number): Dropping | undefined {
  return (['prerouting', 'input'] as const)
    .flatMap((hook) => chains.filter((chain) => chain.hook === hook).sort((a, b) => a.priority - b.priority))
    .map((chain) => whatDrops(chain, chains, { daddr: vip, dport: port }))
    .find((found) => found !== undefined);
}

function toProblem(vip: string, port: number, { text, remove }: Dropping): Problem {
  return {
    id: 'firewall',
    wrong: `the firewall here drops what clients send to ${vip}:${port}`,
    why: 'gate and tunnel: it comes from clients themselves and is for the VIP, and must be let in as such',
    evidence: `\`nft list ruleset\`: ${text}`,
    mend: { command: remove, isSafe: false },
  };
}

/** Of TCP; state 0A is LISTEN. */
function listeningPorts(): readonly number[] {
  const ports = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/self/net/${name}`, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [, local = '', , state] = line.trim().split(/\s+/);
        return state === '0A' ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
      }),
  );
  return [...new Set(ports)];
}
