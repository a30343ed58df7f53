// Whether what a rule of nftables asks for is so of one packet, as far as that is known, and whether it is about somebody or a port.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import { flagNames, type Packet } from './packet.ts';

export type Expression = Readonly<Record<string, unknown>>;
export type Match = 'yes' | 'no' | 'unknown';
/** Of a table, by name. */
export type Sets = ReadonlyMap<string, readonly unknown[]>;

interface Comparison {
  readonly op: string;
  readonly left: unknown;
  readonly right: unknown;
}

export interface Extension {
  readonly type?: string;
  readonly name?: string;
}

interface Field {
  readonly payload?: { readonly protocol?: string; readonly field?: string };
  readonly meta?: { readonly key?: string };
  readonly ct?: { readonly key?: string };
  readonly concat?: readonly unknown[];
}

/** Statements by which a rule may end for a packet, whatever it is. */
const conditions = ['limit', 'quota', 'ct count', 'meter'];

/** A statement that asks for nothing, such as a counter, is a yes. Of what extensions of iptables ask nft tells only their names. */
export function matchOf(expression: Expression, packet: Packet, sets: Sets): Match {
  const { anyOf, match } = expression as { anyOf?: readonly Expression[]; match?: Comparison };
  if (anyOf !== undefined) {
    const each = anyOf.map((one) => matchOf(one, packet, sets));
    return (['yes', 'unknown'] as const).find((one) => each.includes(one)) ?? 'no';
  }
  if (match === undefined) return asksForMore(expression) ? 'unknown' : 'yes';
  const field = unmasked(match.left);
  if (isOfOthers(field, packet)) return 'no';
  if (nameOf(field) === 'tcp flags') return compareFlags(match, packet.flags);
  const value = fieldOf(match.left, packet);
  if (value !== undefined) return compare(match, value, sets);
  // Whichever it is, it is not lo.
  if (!isInterface(match.left) || match.right !== 'lo') return 'unknown';
  return match.op === '!=' ? 'yes' : 'no';
}

function asksForMore(expression: Expression): boolean {
  const { type, name } = (expression.xt ?? {}) as Extension;
  const { stmt } = (expression.set ?? {}) as { stmt?: unknown };
  return (type === 'match' && name !== 'comment') || stmt !== undefined || conditions.some((one) => one in expression);
}

/** `tcp flags & (syn | ack)` is about `tcp flags`. */
function unmasked(left: unknown): unknown {
  return (left as { '&'?: readonly unknown[] } | undefined)?.['&']?.[0] ?? left;
}

/** A header that the packet has not: no such rule matches, whatever it compares with. */
function isOfOthers(field: unknown, { headers }: Packet): boolean {
  const protocol = (field as Field | undefined)?.payload?.protocol;
  return protocol !== undefined && !headers.includes(protocol);
}

function nameOf(field: unknown): string {
  const { payload, meta, ct } = (field ?? {}) as Field;
  if (payload !== undefined) return `${payload.protocol} ${payload.field}`;
  return ct === undefined ? `meta ${meta?.key}` : `ct ${ct.key}`;
}

export function fieldOf(left: unknown, { fields }: Packet): string | number | undefined {
  return fields[nameOf(left)];
}

function isInterface(left: unknown): boolean {
  return ['iif', 'iifname', 'oif', 'oifname'].includes((left as Field | undefined)?.meta?.key ?? '');
}

function compare({ op, right }: Comparison, value: string | number, sets: Sets): Match {
  if (op.startsWith('<') || op.startsWith('>')) {
    if (typeof value !== 'number' || typeof right !== 'number') return 'unknown';
    if (value === right) return op.endsWith('=') ? 'yes' : 'no';
    return value < right === op.startsWith('<') ? 'yes' : 'no';
  }
  const isIn = includes(right, value, sets);
  if (isIn === undefined) return 'unknown';
  return op.startsWith('!') !== isIn ? 'yes' : 'no';
}

/** undefined: not known. */
export function includes(right: unknown, value: string | number, sets: Sets): boolean | undefined {
  if (typeof right === 'string' && right.startsWith('@')) {
    const elements = sets.get(right.slice(1));
    return elements && includes({ set: elements }, value, sets);
  }
  if (typeof right === 'string' && right.endsWith('*')) return String(value).startsWith(right.slice(0, -1));
  if (typeof right === 'string' || typeof right === 'number') return right === value;
  if (Array.isArray(right)) return includes({ set: right }, value, sets);
  const { set, range, prefix, elem } = (right ?? {}) as {
    set?: readonly unknown[];
    range?: readonly [number, number];
    prefix?: { addr: string; len: number };
    elem?: { val?: unknown };
  };
  if (elem !== undefined) return includes(elem.val, value, sets);
  if (set !== undefined) {
    const each = set.map((one) => includes(one, value, sets));
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

/** `tcp flags syn` asks for any of these bits, `tcp flags ! syn` for none, `tcp flags & MASK == syn` for these alone. */
function compareFlags({ op, left, right }: Comparison, flags: number | undefined): Match {
  const [, mask] = (left as { '&'?: readonly unknown[] })['&'] ?? [];
  const asked = mask === undefined ? 0xff : bitsOf(mask);
  const each = ((right as { set?: readonly unknown[] } | undefined)?.set ?? [right]).map(bitsOf);
  const known = each.flatMap((one) => one ?? []);
  if (flags === undefined || asked === undefined || known.length < each.length) return 'unknown';
  const held = flags & asked;
  const isAny = known.some((bits) => (held & bits) !== 0);
  const answers: Readonly<Record<string, boolean>> = {
    in: isAny,
    '!': !isAny,
    '==': known.includes(held),
    '!=': !known.includes(held),
  };
  const isSo = answers[op];
  if (isSo === undefined) return 'unknown';
  return isSo ? 'yes' : 'no';
}

/** undefined: not known. */
function bitsOf(flags: unknown): number | undefined {
  if (typeof flags === 'number') return flags;
  if (typeof flags === 'string') {
    const bit = flagNames.indexOf(flags);
    return bit < 0 ? undefined : 1 << bit;
  }
  const several = Array.isArray(flags) ? flags : (flags as { '|'?: readonly unknown[] } | undefined)?.['|'];
  if (several === undefined) return undefined;
  const each = several.map(bitsOf);
  return each.includes(undefined) ? undefined : each.reduce<number>((all, bits) => all | (bits ?? 0), 0);
}

/** More ports than that are not meant one by one. */
const fewPorts = 100;
const narrowFields = /^(ip6? [sd]addr|arp [sd]addr ip|arp operation|icmpv6 type|\S+ [sd]port)$/;

/** It names the address or port of this packet, or a kind of neighbour discovery. Who is about all others names nobody. */
export function isNarrow(expression: Expression, packet: Packet, sets: Sets): boolean {
  const { anyOf, match, vmap } = expression as {
    anyOf?: readonly Expression[];
    match?: Comparison;
    vmap?: { key: unknown; data: { set?: readonly (readonly [unknown, unknown])[] } };
  };
  if (anyOf !== undefined) return anyOf.every((one) => isNarrow(one, packet, sets));
  if (vmap !== undefined) {
    const keys = (vmap.data.set ?? []).map(([key]) => key);
    return isNarrowBy(vmap.key, { set: keys }, packet, sets);
  }
  if (match === undefined || !['==', 'in'].includes(match.op)) return false;
  return isNarrowBy(match.left, match.right, packet, sets);
}

function isNarrowBy(left: unknown, right: unknown, packet: Packet, sets: Sets): boolean {
  const value = fieldOf(left, packet);
  return isNarrowField(left) && isFew(right, (one) => value === undefined || includes(one, value, sets) === true);
}

function isNarrowField(left: unknown): boolean {
  const { concat } = (left ?? {}) as Field;
  return concat === undefined ? narrowFields.test(nameOf(left)) : concat.some(isNarrowField);
}

/** Of a set only what is so counts. */
function isFew(right: unknown, isSo: (one: unknown) => boolean): boolean {
  if (right === '*') return false;
  const { set, range, prefix } = (right ?? {}) as {
    set?: readonly unknown[];
    range?: readonly unknown[];
    prefix?: { len: number };
  };
  if (set !== undefined) return set.filter(isSo).every((one) => isFew(one, isSo));
  const [from, to] = range ?? [];
  if (typeof from === 'number' && typeof to === 'number') return to - from < fewPorts;
  return prefix?.len !== 0;
}
