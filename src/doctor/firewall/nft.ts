// What a firewall does with one packet, as far as its rules are plain: it drops what no rule may accept of which something is unknown.
import { type Expression, type Extension, fieldOf, includes, isNarrow, matchOf, type Sets } from './nft-match.ts';
import { type Attempt, type Packet, reply, request, withoutState } from './packet.ts';

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
  /** Of what a program of iptables has saved, that program's name. */
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  /** Of a netdev chain; nft before 1.0.7 does not tell. */
  readonly dev?: string | readonly string[];
  readonly prio?: number;
  readonly policy?: string;
}

interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** By which commands name it; in iptables the how many-th of its chain it is. */
  readonly handle: number;
  readonly expr: readonly Expression[];
  /** As iptables takes it. */
  readonly words?: string;
}

export interface Chain {
  /** `inet filter input`, `iptables filter INPUT`. */
  readonly place: string;
  readonly hook: string | undefined;
  readonly isNat: boolean;
  readonly priority: number;
  readonly policy: string | undefined;
  readonly rules: readonly NftRule[];
  readonly sets: Sets;
}

export type Family = 4 | 6 | 'arp';

/** A rule, or a chain's policy, that drops it. */
export interface Dropping {
  readonly text: string;
  /** `inet filter input`, `iptables filter INPUT`. */
  readonly place: string;
  /** The rule before which what shall pass is to be let in; undefined: at the chain's end. */
  readonly before: number | undefined;
  /** The command after which it passes, of a rule that is about nothing else. */
  readonly remove: string | undefined;
  /** A policy, or a rule like one: nothing on the way to it names addresses or ports. It is for all that nobody has let in. */
  readonly isGeneral: boolean;
}

const metBy: Readonly<Record<Family, readonly string[]>> = {
  4: ['netdev', 'inet', 'ip', 'iptables', 'iptables-legacy'],
  6: ['netdev', 'inet', 'ip6', 'ip6tables', 'ip6tables-legacy'],
  arp: ['netdev', 'arp'],
};

/** Those that packets of this family meet, where it is known by this interface. */
export function readChains(items: readonly NftItem[], family: Family, interfaceName?: string): readonly Chain[] {
  const rules = items.flatMap(({ rule }) => rule ?? []);
  const sets = items.flatMap(({ set }) => set ?? []);
  return items.flatMap(({ chain }) => {
    if (chain === undefined || !metBy[family].includes(chain.family)) return [];
    const { family: of, table, name, type, hook, dev, prio = 0, policy } = chain;
    if (dev !== undefined && interfaceName !== undefined && ![dev].flat().includes(interfaceName)) return [];
    const own = rules.filter((rule) => rule.family === of && rule.table === table && rule.chain === name);
    const named = sets.filter((set) => set.family === of && set.table === table);
    const known = new Map(named.map((set) => [set.name, set.elem ?? []]));
    const place = `${of} ${table} ${name}`;
    return [{ place, hook, isNat: type === 'nat', priority: prio, policy, rules: own, sets: known }];
  });
}

/** Of a connection of TCP, either its first packet or the answer. */
export function whatDropsAttempt(
  chains: readonly Chain[],
  attempt: Attempt,
): { readonly dropping: Dropping | undefined; readonly isReply: boolean } {
  const [first, answer] = [request(attempt), reply(attempt)];
  const isUnknown = mayBeUntracked(chains, 'prerouting', first) || mayBeUntracked(chains, 'output', answer);
  const known = (packet: Packet): Packet => (isUnknown ? withoutState(packet) : packet);
  const dropping = whatDropsFirst(chains, ['ingress', 'prerouting', 'input'], known(first));
  if (dropping !== undefined) return { dropping, isReply: false };
  return { dropping: whatDropsFirst(chains, ['output', 'postrouting', 'egress'], known(answer)), isReply: true };
}

/** By a rule of this hook, or of a chain that others call. */
function mayBeUntracked(chains: readonly Chain[], at: string, packet: Packet): boolean {
  return chains
    .filter(({ hook = at }) => hook === at)
    .some(({ rules, sets }) =>
      rules.some(({ expr }) => expr.some(mayNotTrack) && !expr.some((one) => matchOf(one, packet, sets) === 'no')),
    );
}

/** Of iptables' CT nft tells no more than its name. */
function mayNotTrack(expression: Expression): boolean {
  return 'notrack' in expression || (expression.xt as Extension | undefined)?.name === 'CT';
}

/** Each hook's chains are walked in the order of their priorities, and a packet must pass them all. */
export function whatDropsFirst(
  chains: readonly Chain[],
  hooks: readonly string[],
  packet: Packet,
): Dropping | undefined {
  const met = hooks
    .flatMap((hook) => chains.filter((chain) => chain.hook === hook).sort((a, b) => a.priority - b.priority))
    .filter(({ isNat }) => packet.isFirst || !isNat);
  for (const chain of met) {
    const outcomes = walk(chain, chains, packet);
    const droppings = outcomes.flatMap((outcome) => droppingOf(outcome, chain) ?? []);
    if (droppings.length === outcomes.length) return droppings.at(-1);
    if (outcomes.some(({ kind }) => kind === 'other')) return undefined;
  }
  return undefined;
}

/** What may become of a packet in a chain. */
type Outcome =
  | { readonly kind: 'accept' }
  /** It is another packet from here on, or somebody else's to judge. */
  | { readonly kind: 'other' }
  | { readonly kind: 'drop'; readonly dropping: Dropping }
  /** A base chain's policy decides. `by`: the first rule that leaves the chain before its end. */
  | { readonly kind: 'end'; readonly by: NftRule | undefined };

function droppingOf(outcome: Outcome, { place, policy }: Chain): Dropping | undefined {
  if (outcome.kind === 'drop') return outcome.dropping;
  if (outcome.kind !== 'end' || policy !== 'drop') return undefined;
  return {
    text: `the policy of ${place} is drop, and none of its rules accepts`,
    place,
    before: outcome.by?.handle,
    remove: undefined,
    isGeneral: true,
  };
}

/** How it was called. */
interface Call {
  readonly depth: number;
  readonly isNarrow: boolean;
}

const mostJumps = 16;

/** All that may be, the likeliest last: behind a rule of which something is unknown it goes on, too. */
function walk(
  chain: Chain,
  all: readonly Chain[],
  packet: Packet,
  call: Call = { depth: 0, isNarrow: false },
): readonly Outcome[] {
  const outcomes: Outcome[] = [];
  let by: NftRule | undefined;
  for (const rule of chain.rules) {
    const matches = rule.expr.map((expression) => matchOf(expression, packet, chain.sets));
    const verdict = rule.expr.flatMap((expression) => verdictOf(expression, packet, chain) ?? [])[0];
    if (verdict === undefined || matches.includes('no')) continue;
    const mayBe = outcomesOf(verdict, rule, chain, all, packet, call);
    const goesOn = verdict.kind === 'jump' && mayBe.some(({ kind }) => kind === 'end');
    const isLeft = verdict.kind !== 'jump' && mayBe.some(({ kind }) => kind === 'end');
    if (isLeft) by ??= rule;
    outcomes.push(...mayBe.filter(({ kind }) => kind !== 'end'), ...(isLeft ? [{ kind: 'end' as const, by }] : []));
    if (!goesOn && !matches.includes('unknown')) return outcomes;
  }
  return [...outcomes, { kind: 'end', by }];
}

function outcomesOf(
  verdict: Verdict,
  rule: NftRule,
  chain: Chain,
  all: readonly Chain[],
  packet: Packet,
  { depth, isNarrow: isCallNarrow }: Call,
): readonly Outcome[] {
  const isOwnNarrow = rule.expr.some((one) => isNarrow(one, packet, chain.sets));
  const isPathNarrow = isCallNarrow || isOwnNarrow;
  if (verdict.kind === 'drop') return [{ kind: 'drop', dropping: dropping(chain, rule, isOwnNarrow, !isPathNarrow) }];
  if (verdict.kind === 'return') return [{ kind: 'end', by: rule }];
  if (!('to' in verdict)) return [verdict];
  const target = all.find(({ place }) => place === chain.place.replace(/\S+$/, () => verdict.to));
  if (target === undefined || depth === mostJumps) return [{ kind: 'other' }];
  return walk(target, all, packet, { depth: depth + 1, isNarrow: isPathNarrow });
}

function dropping({ place }: Chain, rule: NftRule, isOwnNarrow: boolean, isGeneral: boolean): Dropping {
  const { handle, expr, words } = rule;
  // A map of verdicts is about others too.
  const isRemovable = isOwnNarrow && !expr.some((one) => 'vmap' in one);
  return {
    text: `rule ${handle} of ${place}: ${words ?? JSON.stringify(expr)}`,
    place,
    before: handle,
    remove: isRemovable ? removal(place, rule) : undefined,
    isGeneral,
  };
}

function removal(place: string, { family, table, chain, handle, words }: NftRule): string {
  if (words !== undefined) return `${family} -t ${table} -D ${chain} ${words}`;
  return `nft delete rule ${place} handle ${handle}`;
}

type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'other' }
  | { readonly kind: 'return' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'jump' | 'goto'; readonly to: string };

/** Statements after which it is another packet, or another program's to judge. */
const diversions = ['dnat', 'snat', 'redirect', 'masquerade', 'tproxy', 'queue', 'fwd', 'synproxy'];

function verdictOf(expression: Expression, packet: Packet, chain: Chain): Verdict | undefined {
  const { vmap } = expression as {
    vmap?: { key: unknown; data: { set?: readonly (readonly [unknown, Expression])[] } };
  };
  if (vmap !== undefined) {
    const value = fieldOf(vmap.key, packet);
    if (value === undefined || vmap.data.set === undefined) return { kind: 'accept' }; // it may be
    const found = vmap.data.set.find(([key]) => includes(key, value, chain.sets) === true);
    return found && verdictOf(found[1], packet, chain);
  }
  if ('accept' in expression) return { kind: 'accept' };
  if ('return' in expression) return { kind: 'return' };
  if ('drop' in expression || 'reject' in expression) return { kind: 'drop' };
  if (diversions.some((one) => one in expression)) return { kind: 'other' };
  for (const kind of ['jump', 'goto'] as const) {
    const to = (expression[kind] as { target?: string } | undefined)?.target;
    if (to !== undefined) return { kind, to };
  }
  return verdictOfTarget((expression.xt ?? {}) as Extension);
}

/** Of iptables, after which a packet goes on to the next rule. */
const continuing: ReadonlySet<string> = new Set([
  ...['AUDIT', 'CHECKSUM', 'CLASSIFY', 'CONNMARK', 'CONNSECMARK', 'CT', 'DSCP', 'ECN', 'HL', 'HMARK', 'IDLETIMER'],
  ...['LED', 'LOG', 'MARK', 'NFLOG', 'RATEEST', 'SECMARK', 'SET', 'TCPMSS', 'TCPOPTSTRIP', 'TEE', 'TOS', 'TRACE'],
  ...['TTL', 'ULOG'],
]);

function verdictOfTarget({ type, name = '' }: Extension): Verdict | undefined {
  if (type !== 'target' || continuing.has(name)) return undefined;
  return { kind: name === 'REJECT' ? 'drop' : 'other' };
}
