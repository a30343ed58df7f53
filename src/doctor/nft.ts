// What nftables does with one TCP packet, as far as rules are plain: a drop counts only where all that it asks for is known.
import { parseAddress } from '../model/address.ts';

/** An element of `nft -j list ruleset`. */
export interface NftItem {
  readonly chain?: NftChain;
  readonly rule?: NftRule;
}

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
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
}

export interface Packet {
  readonly daddr: string;
  readonly dport: number;
}

/** A rule, or a chain's policy, that drops it. */
export interface Dropping {
  readonly text: string;
  /** The command after which it passes. */
  readonly remove: string;
}

/** Those that packets of this family meet. */
export function readChains(items: readonly NftItem[], family: 4 | 6): readonly Chain[] {
  const families = family === 4 ? ['ip', 'inet'] : ['ip6', 'inet'];
  const rules = items.flatMap(({ rule }) => rule ?? []);
  return items.flatMap(({ chain }) => {
    if (chain === undefined || !families.includes(chain.family)) return [];
    const { family: of, table, name, hook, prio = 0, policy } = chain;
    const own = rules.filter((rule) => rule.family === of && rule.table === table && rule.chain === name);
    return [{ place: `${of} ${table} ${name}`, name, hook, priority: prio, policy, rules: own }];
  });
}

/** undefined: it passes this chain. */
export function whatDrops(chain: Chain, all: readonly Chain[], packet: Packet): Dropping | undefined {
  const outcome = walk(chain, all, packet, 0);
  if (outcome === 'accept') return undefined;
  if (outcome !== 'end') return outcome;
  if (chain.policy !== 'drop') return undefined;
  const accept = `${isSix(packet.daddr) ? 'ip6' : 'ip'} daddr ${packet.daddr} tcp dport ${packet.dport} accept`;
  return {
    text: `the policy of ${chain.place} is drop, and none of its rules accepts`,
    remove: `nft add rule ${chain.place} ${accept}`,
  };
}

const mostJumps = 16;

function walk(chain: Chain, all: readonly Chain[], packet: Packet, depth: number): Dropping | 'accept' | 'end' {
  for (const rule of chain.rules) {
    const matches = rule.expr.map((expression) => matchOf(expression, packet));
    const verdict = rule.expr.flatMap((expression) => verdictOf(expression) ?? [])[0];
    if (verdict === undefined || matches.includes('no')) continue;
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

function verdictOf(expression: Expression): Verdict | undefined {
  if ('accept' in expression) return { kind: 'accept' };
  if ('return' in expression) return { kind: 'return' };
  if ('drop' in expression || 'reject' in expression) return { kind: 'drop' };
  for (const kind of ['jump', 'goto'] as const) {
    const to = (expression[kind] as { target?: string } | undefined)?.target;
    if (to !== undefined) return { kind, to };
  }
  return undefined;
}

/** A statement that asks for nothing, such as a counter, is a yes. */
function matchOf(expression: Expression, packet: Packet): 'yes' | 'no' | 'unknown' {
  if ('xt' in expression || 'limit' in expression) return 'unknown';
  const match = expression.match as { op: string; left: unknown; right: unknown } | undefined;
  if (match === undefined) return 'yes';
  if (isOfOthers(match.left, packet)) return 'no';
  const value = fieldOf(match.left, packet);
  const isIn = value === undefined ? undefined : includes(match.right, value);
  if (isIn === undefined) return 'unknown';
  return (match.op === '!=') !== isIn ? 'yes' : 'no';
}

/** A header that the packet has not: no such rule matches, whatever it compares with. */
function isOfOthers(left: unknown, { daddr }: Packet): boolean {
  const protocol = (left as { payload?: { protocol?: string } } | undefined)?.payload?.protocol ?? '';
  return [isSix(daddr) ? 'ip' : 'ip6', 'udp', 'sctp', 'icmp', 'icmpv6'].includes(protocol);
}

function fieldOf(left: unknown, { daddr, dport }: Packet): string | number | undefined {
  const { payload, meta } = (left ?? {}) as {
    payload?: { protocol?: string; field?: string };
    meta?: { key?: string };
  };
  const fields: Readonly<Record<string, string | number>> = {
    [isSix(daddr) ? 'ip6 daddr' : 'ip daddr']: daddr,
    'tcp dport': dport,
    'th dport': dport,
    [isSix(daddr) ? 'ip6 nexthdr' : 'ip protocol']: 'tcp',
    'meta l4proto': 'tcp',
    'meta nfproto': isSix(daddr) ? 'ipv6' : 'ipv4',
  };
  return fields[payload === undefined ? `meta ${meta?.key}` : `${payload.protocol} ${payload.field}`];
}

/** undefined: not known. */
function includes(right: unknown, value: string | number): boolean | undefined {
  if (typeof right === 'string' || typeof right === 'number') return right === value;
  const { set, range, prefix } = (right ?? {}) as {
    set?: readonly unknown[];
    range?: readonly [number, number];
    prefix?: { addr: string; len: number };
  };
  if (set !== undefined) {
    const each = set.map((one) => includes(one, value));
    if (each.includes(true)) return true;
    return each.includes(undefined) ? undefined : false;
  }
  if (range !== undefined) return typeof value === 'number' && value >= range[0] && value <= range[1];
  return prefix === undefined ? undefined : isWithin(String(value), prefix);
}

/** Never of what is no address of the prefix's family. */
function isWithin(address: string, { addr, len }: { addr: string; len: number }): boolean {
  if (!/[.:]/.test(address) || isSix(address) !== isSix(addr)) return false;
  const bits = (text: string): string =>
    parseAddress(text)
      .bytes.map((byte) => byte.toString(2).padStart(8, '0'))
      .join('');
  return bits(address).slice(0, len) === bits(addr).slice(0, len);
}

function isSix(address: string): boolean {
  return address.includes(':');
}

function dropping({ place }: Chain, { handle, expr }: NftRule): Dropping {
  return {
    text: `rule ${handle} of ${place}: ${JSON.stringify(expr)}`,
    remove: `nft delete rule ${place} handle ${handle}`,
  };
}
