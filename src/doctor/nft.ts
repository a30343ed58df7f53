// What nftables does with one packet, as far as rules are plain: a verdict counts only where all that it asks for is known.
import { isInNetwork, parseAddress } from '../model/address.ts';

/** An element of `nft -j list ruleset`. */
export interface NftItem {
  readonly chain?: NftChain;
  readonly rule?: NftRule;
  readonly set?: NftSet;
}

interface NftSet {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly elem?: readonly unknown[];
}

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  /** Of a netdev chain; nft before 1.0.7 does not tell. */
  readonly dev?: string | readonly string[];
  readonly prio?: number;
  readonly policy?: string;
}

type Expression = Readonly<Record<string, unknown>>;

interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr: readonly Expression[];
}

export interface Chain {
  /** `inet filter input`. */
  readonly place: string;
  readonly name: string;
  readonly hook: string | undefined;
  readonly priority: number;
  readonly policy: string | undefined;
  readonly rules: readonly NftRule[];
  /** Of its table, by name. */
  readonly sets: ReadonlyMap<string, readonly unknown[]>;
}

export type Family = 4 | 6 | 'arp';

export interface Packet {
  /** That it has, as nft names them: no rule about another one matches. */
  readonly headers: readonly string[];
  /** What is known of it, as nft names fields: `ip daddr`, `tcp dport`, `ct state`, `meta iifname`. */
  readonly fields: Readonly<Record<string, string | number>>;
}

/** What is known of a connection of TCP. */
export interface Attempt {
  /** Of the server: the VIP, mostly. */
  readonly address: string;
  readonly port: number;
  readonly client?: string | undefined;
  /** By which it comes and is answered, where there is but one that it can be. */
  readonly interface?: string | undefined;
}

/** The SYN. */
export function request({ address, port, client, interface: by }: Attempt): Packet {
  const ip = isSix(address) ? 'ip6' : 'ip';
  return {
    headers: tcpHeaders(address),
    fields: {
      ...tcpFields(address),
      [`${ip} daddr`]: address,
      ...(client === undefined ? {} : { [`${ip} saddr`]: client }),
      ...{ 'tcp dport': port, 'th dport': port, 'ct state': 'new' },
      ...(by === undefined ? {} : { 'meta iifname': by, 'meta iif': by }),
    },
  };
}

/** The answer to it. */
export function reply({ address, port, client, interface: by }: Attempt): Packet {
  const ip = isSix(address) ? 'ip6' : 'ip';
  return {
    headers: tcpHeaders(address),
    fields: {
      ...tcpFields(address),
      [`${ip} saddr`]: address,
      ...(client === undefined ? {} : { [`${ip} daddr`]: client }),
      ...{ 'tcp sport': port, 'th sport': port, 'ct state': 'established' },
      ...(by === undefined ? {} : { 'meta oifname': by, 'meta oif': by }),
    },
  };
}

/** Who has the VIP, by ARP or neighbour discovery. */
export function questionFor(vip: string, comesBy: string): Packet {
  const by = { 'meta iifname': comesBy, 'meta iif': comesBy };
  if (!isSix(vip))
    return {
      headers: ['ether', 'arp'],
      fields: { ...by, ...ofType('arp'), 'arp operation': 'request', 'arp daddr ip': vip },
    };
  const fields = { 'ip6 nexthdr': 'ipv6-icmp', 'meta l4proto': 'ipv6-icmp', 'icmpv6 type': 'nd-neighbor-solicit' };
  return {
    headers: ['ether', 'ip6', 'icmpv6', 'th'],
    fields: { ...by, ...ofType('ip6'), ...fields, 'meta nfproto': 'ipv6', 'ip6 hoplimit': 255 },
  };
}

function tcpHeaders(vip: string): Packet['headers'] {
  return ['ether', isSix(vip) ? 'ip6' : 'ip', 'tcp', 'th'];
}

function tcpFields(vip: string): Packet['fields'] {
  return {
    ...ofType(isSix(vip) ? 'ip6' : 'ip'),
    [isSix(vip) ? 'ip6 nexthdr' : 'ip protocol']: 'tcp',
    'meta l4proto': 'tcp',
    'meta nfproto': isSix(vip) ? 'ipv6' : 'ipv4',
  };
}

function ofType(type: string): Packet['fields'] {
  return { 'ether type': type, 'meta protocol': type };
}

/** A rule, or a chain's policy, that drops it. */
export interface Dropping {
  readonly text: string;
  /** The command after which it passes; a chain's policy has none: what shall pass is to be said. */
  readonly remove: string | undefined;
  /** `inet filter input`. */
  readonly place: string;
}

const metBy: Readonly<Record<Family, readonly string[]>> = {
  4: ['netdev', 'inet', 'ip'],
  6: ['netdev', 'inet', 'ip6'],
  arp: ['netdev', 'arp'],
};

/** Those that packets of this family meet, where it is known by this interface. */
export function readChains(items: readonly NftItem[], family: Family, interfaceName?: string): readonly Chain[] {
  const rules = items.flatMap(({ rule }) => rule ?? []);
  const sets = items.flatMap(({ set }) => set ?? []);
  return items.flatMap(({ chain }) => {
    if (chain === undefined || !metBy[family].includes(chain.family)) return [];
    const { family: of, table, name, hook, dev, prio = 0, policy } = chain;
    if (dev !== undefined && interfaceName !== undefined && ![dev].flat().includes(interfaceName)) return [];
    const own = rules.filter((rule) => rule.family === of && rule.table === table && rule.chain === name);
    const named = sets.filter((set) => set.family === of && set.table === table);
    const known = new Map(named.map((set) => [set.name, set.elem ?? []]));
    return [{ place: `${of} ${table} ${name}`, name, hook, priority: prio, policy, rules: own, sets: known }];
  });
}

/** Each hook's chains are walked in the order of their priorities, and a packet must pass them all. */
export function whatDropsFirst(
  chains: readonly Chain[],
  hooks: readonly string[],
  packet: Packet,
): Dropping | undefined {
  return hooks
    .flatMap((hook) => chains.filter((chain) => chain.hook === hook).sort((a, b) => a.priority - b.priority))
    .map((chain) => whatDrops(chain, chains, packet))
    .find((found) => found !== undefined);
}

/** undefined: it passes this chain. */
export function whatDrops(chain: Chain, all: readonly Chain[], packet: Packet): Dropping | undefined {
  const outcome = walk(chain, all, packet, 0);
  if (outcome === 'accept') return undefined;
  if (outcome !== 'end') return outcome;
  if (chain.policy !== 'drop') return undefined;
  return {
    text: `the policy of ${chain.place} is drop, and none of its rules accepts`,
    remove: undefined,
    place: chain.place,
  };
}

const mostJumps = 16;

function walk(chain: Chain, all: readonly Chain[], packet: Packet, depth: number): Dropping | 'accept' | 'end' {
  for (const rule of chain.rules) {
    const matches = rule.expr.map((expression) => matchOf(expression, packet, chain));
    const verdict = rule.expr.flatMap((expression) => verdictOf(expression, packet, chain) ?? [])[0];
    if (verdict === undefined || matches.includes('no')) continue;
    // A packet that may have been accepted is not dropped for sure.
    if (verdict.kind === 'accept') return 'accept';
    if (verdict.kind === 'return') return 'end';
    if (matches.includes('unknown')) continue;
    if (verdict.kind === 'drop') return dropping(chain, rule);
    const target = all.find(({ place }) => place === chain.place.replace(/\S+$/, verdict.to));
    if (target === undefined || depth === mostJumps) continue;
    const outcome = walk(target, all, packet, depth + 1);
    if (outcome !== 'end' || verdict.kind === 'goto') return outcome;
  }
  return 'end';
}

type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'return' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'jump' | 'goto'; readonly to: string };

function verdictOf(expression: Expression, packet: Packet, chain: Chain): Verdict | undefined {
  const { vmap } = expression as {
    vmap?: { key: unknown; data: { set?: readonly (readonly [unknown, Expression])[] } };
  };
  if (vmap !== undefined) {
    const value = fieldOf(vmap.key, packet);
    if (value === undefined || vmap.data.set === undefined) return { kind: 'accept' }; // it may be
    const found = vmap.data.set.find(([key]) => includes(key, value, chain) === true);
    return found && verdictOf(found[1], packet, chain);
  }
  if ('accept' in expression) return { kind: 'accept' };
  if ('return' in expression) return { kind: 'return' };
  if ('drop' in expression || 'reject' in expression || isRefusal(expression)) return { kind: 'drop' };
  for (const kind of ['jump', 'goto'] as const) {
    const to = (expression[kind] as { target?: string } | undefined)?.target;
    if (to !== undefined) return { kind, to };
  }
  return undefined;
}

interface Extension {
  readonly type?: string;
  readonly name?: string;
}

/** As iptables writes it. */
function isRefusal({ xt }: Expression): boolean {
  const { type, name } = (xt ?? {}) as Extension;
  return type === 'target' && name === 'REJECT';
}

/** A statement that asks for nothing, such as a counter, is a yes. Of what extensions of iptables ask nft tells only their names. */
function matchOf(expression: Expression, packet: Packet, chain: Chain): 'yes' | 'no' | 'unknown' {
  const { type, name } = (expression.xt ?? {}) as Extension;
  if ((type === 'match' && name !== 'comment') || 'limit' in expression) return 'unknown';
  const match = expression.match as { op: string; left: unknown; right: unknown } | undefined;
  if (match === undefined) return 'yes';
  if (isOfOthers(match.left, packet)) return 'no';
  const value = fieldOf(match.left, packet);
  // Whichever it is, it is not lo.
  if (value === undefined && isInterface(match.left) && match.right === 'lo') return match.op === '!=' ? 'yes' : 'no';
  const isIn = value === undefined ? undefined : includes(match.right, value, chain);
  if (isIn === undefined) return 'unknown';
  return (match.op === '!=') !== isIn ? 'yes' : 'no';
}

/** A header that the packet has not: no such rule matches, whatever it compares with. */
function isOfOthers(left: unknown, { headers }: Packet): boolean {
  const protocol = (left as { payload?: { protocol?: string } } | undefined)?.payload?.protocol;
  return protocol !== undefined && !headers.includes(protocol);
}

interface Field {
  readonly payload?: { readonly protocol?: string; readonly field?: string };
  readonly meta?: { readonly key?: string };
  readonly ct?: { readonly key?: string };
}

function fieldOf(left: unknown, { fields }: Packet): string | number | undefined {
  const { payload, meta, ct } = (left ?? {}) as Field;
  if (payload !== undefined) return fields[`${payload.protocol} ${payload.field}`];
  return fields[ct === undefined ? `meta ${meta?.key}` : `ct ${ct.key}`];
}

function isInterface(left: unknown): boolean {
  return ['iif', 'iifname', 'oif', 'oifname'].includes((left as Field | undefined)?.meta?.key ?? '');
}

/** undefined: not known. */
function includes(right: unknown, value: string | number, chain: Chain): boolean | undefined {
  if (typeof right === 'string' && right.startsWith('@')) {
    const elements = chain.sets.get(right.slice(1));
    return elements && includes({ set: elements }, value, chain);
  }
  if (typeof right === 'string' && right.endsWith('*')) return String(value).startsWith(right.slice(0, -1));
  if (typeof right === 'string' || typeof right === 'number') return right === value;
  if (Array.isArray(right)) return includes({ set: right }, value, chain);
  const { set, range, prefix, elem } = (right ?? {}) as {
    set?: readonly unknown[];
    range?: readonly [number, number];
    prefix?: { addr: string; len: number };
    elem?: { val?: unknown };
  };
  if (elem !== undefined) return includes(elem.val, value, chain);
  if (set !== undefined) {
    const each = set.map((one) => includes(one, value, chain));
    if (each.includes(true)) return true;
    return each.includes(undefined) ? undefined : false;
  }
  if (range !== undefined) return typeof value === 'number' && value >= range[0] && value <= range[1];
  return prefix === undefined ? undefined : isWithin(String(value), prefix);
}

/** Never of what is no address of the prefix's family. */
function isWithin(address: string, { addr, len }: { addr: string; len: number }): boolean {
  return /[.:]/.test(address) && isInNetwork(parseAddress(address), parseAddress(addr), len);
}

function isSix(address: string): boolean {
  return address.includes(':');
}

function dropping({ place }: Chain, { handle, expr }: NftRule): Dropping {
  return {
    text: `rule ${handle} of ${place}: ${JSON.stringify(expr)}`,
    remove: `nft delete rule ${place} handle ${handle}`,
    place,
  };
}
