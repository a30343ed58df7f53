// One rule of nftables as mark rules: several where it names sets, for each of these has one address, interface and protocol.
import { type Address, type Family, readAddress } from '../../../model/address.ts';
import { FairleadError } from '../../../model/error.ts';
import {
  type AddressRange,
  checkRule,
  familyOf,
  type MarkChange,
  type MarkRule,
  type PortRange,
  prefixMask,
  wholeMask,
} from '../../../model/mark.ts';
import { readAddressRange, readPortRange, readProtocol, readU32 } from '../../../model/mark-values.ts';
import type { Item, NftRule } from './nft-chains.ts';

const mostRules = 1024;

/** What a rule has been read to ask for. */
interface Draft {
  alternatives: readonly Partial<MarkRule>[];
  family: Family | undefined;
  /** As `tcp dport` says it. */
  protocol: string | undefined;
  isLast: boolean;
}

/** Takes words from the front. */
class Words {
  readonly #items: readonly Item[];
  #at = 0;

  constructor(items: readonly Item[]) {
    this.#items = items;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#items.length;
  }

  /** '' for a set, and at the end. */
  peek(ahead = 0): string {
    const item = this.#items[this.#at + ahead];
    return item === undefined || !('text' in item) ? '' : item.text;
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** If that is what comes next. */
  take(...texts: readonly string[]): boolean {
    if (!texts.every((text, index) => this.peek(index) === text)) return false;
    this.skip(texts.length);
    return true;
  }

  word(): string {
    const text = this.peek();
    this.skip(1);
    return text;
  }

  /** One word, or a set's. */
  values(): readonly string[] {
    const item = this.#items[this.#at];
    this.skip(1);
    if (item === undefined) return refuse('a value is missing');
    const values = 'text' in item ? [item.text] : item;
    const named = values.find((text) => text.startsWith('@'));
    return named === undefined ? values : refuse(`the set ${named} is not supported`);
  }

  rest(): string {
    return this.#items
      .slice(this.#at)
      .map((item) => ('text' in item ? item.text : `{ ${item.join(', ')} }`))
      .join(' ');
  }
}

/** Throws bad-input, naming what can't be expressed. None for a rule that gives no mark and ends nothing. */
export function readNftRule({ items }: NftRule, tableFamily: Family | undefined): readonly MarkRule[] {
  const words = new Words(items);
  const draft: Draft = { alternatives: [{}], family: tableFamily, protocol: undefined, isLast: false };
  while (!words.isAtEnd) readPart(draft, words);
  const rules = draft.alternatives
    .map((one): MarkRule => {
      const family = draft.family ?? familyOf({ ...one, isLast: false });
      return { ...one, ...(family === undefined ? {} : { family }), isLast: draft.isLast };
    })
    .filter(({ set, isLast }) => set !== undefined || isLast);
  for (const rule of rules) checkRule(rule);
  return rules;
}

function readPart(draft: Draft, words: Words): void {
  if (words.take('counter')) {
    if (words.take('packets')) words.skip(3);
  } else if (words.take('comment')) words.skip(1);
  else if (words.take('accept') || words.take('return')) {
    if (!words.isAtEnd && words.peek() !== 'comment') refuse(`${words.rest()} after the verdict is not supported`);
    draft.isLast = true;
  } else if (words.take('meta', 'mark', 'set') || words.take('mark', 'set')) narrow(draft, 'set', [readSet(words)]);
  else if (draft.alternatives.some(({ set }) => set !== undefined)) {
    refuse(`"${words.rest()}" after the mark is set is not supported`);
  } else readMatch(draft, words);
}

function readMatch(draft: Draft, words: Words): void {
  if (words.take('iifname') || words.take('iif')) {
    const isNot = readNot(words);
    const names = words.values().map((name) => ({ name: name.replace(/\*$/, '+'), isNot }));
    narrow(draft, 'interface', single(names, isNot));
  } else if (words.take('ip', 'saddr')) readAddresses(draft, words, 'source', 4);
  else if (words.take('ip', 'daddr')) readAddresses(draft, words, 'target', 4);
  else if (words.take('ip6', 'saddr')) readAddresses(draft, words, 'source', 6);
  else if (words.take('ip6', 'daddr')) readAddresses(draft, words, 'target', 6);
  else if (words.take('meta', 'nfproto')) setFamily(draft, familyNamed(words));
  else if (words.take('ip', 'protocol')) readProtocols(draft, words, 4);
  else if (words.take('ip6', 'nexthdr')) readProtocols(draft, words, 6);
  else if (words.take('meta', 'l4proto')) readProtocols(draft, words, undefined);
  else if (/^(tcp|udp|sctp|th)$/.test(words.peek()) && /^[sd]port$/.test(words.peek(1))) readPorts(draft, words);
  else if (words.take('meta', 'mark') || words.take('mark')) readMark(draft, words);
  else refuse(`"${words.rest()}" is not supported`);
}

function readNot(words: Words): boolean {
  if (words.take('!=')) return true;
  words.take('==');
  return false;
}

/** What must be none of several would take several rules. */
function single<Value>(values: readonly Value[], isNot: boolean): readonly Value[] {
  return isNot && values.length > 1 ? refuse('!= of several is not supported') : values;
}

/** Each alternative with each of these. */
function narrow<Name extends keyof MarkRule>(
  draft: Draft,
  name: Name,
  values: readonly NonNullable<MarkRule[Name]>[],
): void {
  if (draft.alternatives.some((one) => one[name] !== undefined)) refuse('one thing asked for twice is not supported');
  if (draft.alternatives.length * values.length > mostRules) refuse(`it would take more than ${mostRules} rules`);
  draft.alternatives = draft.alternatives.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
}

function readAddresses(draft: Draft, words: Words, end: 'source' | 'target', family: Family): void {
  const isNot = readNot(words);
  const ranges = words.values().flatMap(readNftAddresses);
  if (ranges.some(({ address }) => address.family !== family)) refuse(`expected addresses of IPv${family}`);
  setFamily(draft, family);
  narrow(
    draft,
    end,
    single(ranges, isNot).map((range) => ({ ...range, isNot })),
  );
}

function setFamily(draft: Draft, family: Family): void {
  if (draft.family !== undefined && draft.family !== family) refuse('a packet has addresses of one family');
  draft.family = family;
}

function familyNamed(words: Words): Family {
  const isNot = readNot(words);
  const name = words.word();
  if (name !== 'ipv4' && name !== 'ipv6') refuse(`nfproto ${name} is not supported`);
  return (name === 'ipv4') === isNot ? 6 : 4;
}

function readProtocols(draft: Draft, words: Words, family: Family | undefined): void {
  const isNot = readNot(words);
  const names = words.values().map((text) => readProtocol(text) ?? refuse(`expected a protocol, got ${text}`));
  if (family !== undefined) setFamily(draft, family);
  const asked = single(names, isNot).map((name) => ({ name, isNot }));
  if (draft.alternatives.every(({ protocol }) => protocol === undefined)) narrow(draft, 'protocol', asked);
  else if (asked.length !== 1 || isNot || draft.protocol !== asked[0]?.name) {
    refuse('one thing asked for twice is not supported');
  }
}

/** `tcp dport` says the protocol too, perhaps once more. */
function readPorts(draft: Draft, words: Words): void {
  const transport = words.word();
  const side = words.word() === 'sport' ? 'sourcePorts' : 'targetPorts';
  if (transport !== 'th' && transport !== draft.protocol) {
    const name = readProtocol(transport) ?? refuse(`expected a protocol, got ${transport}`);
    const isKnown = draft.alternatives.every(({ protocol }) => protocol?.name === name && !protocol.isNot);
    if (!isKnown) narrow(draft, 'protocol', [{ name, isNot: false }]);
    draft.protocol = transport;
  }
  const isNot = readNot(words);
  const ranges: readonly PortRange[] = words.values().map((text) => readPortRange(text.replace('-', ':')));
  narrow(draft, side, [{ ranges, isNot }]);
}

/** `meta mark 0x7`, `meta mark & 0xff == 0x7`. */
function readMark(draft: Draft, words: Words): void {
  const mask = words.take('&') || words.take('and') ? readU32(words.word(), 'a mask') : wholeMask;
  const isNot = readNot(words);
  const values = words.values().map((text) => readU32(text, 'a mark'));
  narrow(
    draft,
    'mark',
    single(values, isNot).map((value) => ({ value, mask, isNot })),
  );
}

/** A number, or what is made of the mark, from left to right. */
function readSet(words: Words): MarkChange {
  if (!words.take('meta', 'mark') && !words.take('mark')) {
    const text = words.word();
    return /^[0-9]/.test(text)
      ? { value: readU32(text, 'a mark'), mask: wholeMask }
      : refuse(`a mark from "${text} ${words.rest()}" is not supported`);
  }
  let kept = wholeMask;
  let value = 0;
  for (;;) {
    if (words.take('&') || words.take('and')) {
      const bits = readU32(words.word(), 'a mask');
      kept &= bits;
      value &= bits;
    } else if (words.take('|') || words.take('or')) {
      const bits = readU32(words.word(), 'a mark');
      kept &= ~bits;
      value |= bits;
    } else if (words.take('^') || words.take('xor')) value ^= readU32(words.word(), 'a mark');
    else return { value: value >>> 0, mask: ~kept >>> 0 };
  }
}

/** Also `10.0.0.1-10.0.0.5`, as the prefixes that make it up. */
function readNftAddresses(text: string): readonly AddressRange[] {
  const [low, high, ...rest] = text.split('-').map((part) => readAddress(part));
  if (high === undefined || rest.length > 0) return [readAddressRange(text)];
  if (low === undefined || low.family !== high.family) return refuse(`expected addresses, got ${JSON.stringify(text)}`);
  return prefixesOf(low, high);
}

function prefixesOf(low: Address, high: Address): readonly AddressRange[] {
  const bits = low.bytes.length * 8;
  const found: AddressRange[] = [];
  let [next, last] = [toNumber(low), toNumber(high)];
  while (next <= last) {
    let size = 0;
    while (size < bits && (next & (1n << BigInt(size))) === 0n && next + (2n << BigInt(size)) - 1n <= last) size++;
    found.push({ address: toAddress(next, low.family), mask: prefixMask(low.family, bits - size) });
    next += 1n << BigInt(size);
  }
  return found;
}

function toNumber({ bytes }: Address): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

function toAddress(number: bigint, family: Family): Address {
  const count = family === 4 ? 4 : 16;
  const bytes = Array.from({ length: count }, (_, index) =>
    Number((number >> BigInt((count - 1 - index) * 8)) & 0xffn),
  );
  return { family, bytes };
}

function refuse(why: string): never {
  throw new FairleadError('bad-input', why);
}
