// The command that lets some traffic through a chain that drops it, and nothing else.
import type { Dropping } from './nft.ts';

export interface Traffic {
  readonly address: string;
  /** Of the address's. */
  readonly ports: readonly number[];
  /** undefined: anybody. */
  readonly client?: string | undefined;
  /** It comes from the address. */
  readonly isReply: boolean;
}

type Spot = Pick<Dropping, 'place' | 'before'>;

export function letIn(spot: Spot, traffic: Traffic): string {
  return accept(spot, nftMatch(traffic), iptablesMatches(traffic));
}

/** Those who ask for the VIP; by IPv6 answers too, or this machine finds nobody itself. */
export function letQuestionsIn(spot: Spot, vip: string): string {
  if (!isSix(vip)) return accept(spot, 'arp operation request', []);
  return accept(
    spot,
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }',
    [135, 136].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type}`),
  );
}

/** iptables takes each of its matches by a rule of its own. */
function accept({ place, before }: Spot, match: string, matches: readonly string[]): string {
  const [family, table, chain] = place.split(' ');
  if (/^ip6?tables/.test(family ?? '')) {
    const how = before === undefined ? `-A ${chain}` : `-I ${chain} ${before}`;
    return matches.map((one) => `${family} -t ${table} ${how} ${one} -j ACCEPT`).join(' && ');
  }
  const how = before === undefined ? `add rule ${place}` : `insert rule ${place} position ${before}`;
  return `nft '${how} ${match} accept'`;
}

function nftMatch({ address, ports, client, isReply }: Traffic): string {
  const ip = isSix(address) ? 'ip6' : 'ip';
  const [here, there, end] = isReply ? ['saddr', 'daddr', 'sport'] : ['daddr', 'saddr', 'dport'];
  const peer = client === undefined ? '' : `${ip} ${there} ${client} `;
  return `${peer}${ip} ${here} ${address} tcp ${end} { ${ports.join(', ')} }`;
}

/** That many ports multiport takes. */
const mostPorts = 15;

function iptablesMatches({ address, ports, client, isReply }: Traffic): readonly string[] {
  const [here, there, end] = isReply ? ['-s', '-d', '--sport'] : ['-d', '-s', '--dport'];
  const peer = client === undefined ? '' : `${there} ${client} `;
  const [only] = ports;
  if (ports.length === 1) return [`${peer}${here} ${address} -p tcp ${end} ${only}`];
  const count = Math.ceil(ports.length / mostPorts);
  return Array.from({ length: count }, (_, at) => {
    const some = ports.slice(at * mostPorts, (at + 1) * mostPorts);
    return `${peer}${here} ${address} -p tcp -m multiport ${end}s ${some.join(',')}`;
  });
}

function isSix(address: string): boolean {
  return address.includes(':');
}
