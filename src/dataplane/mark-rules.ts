// The rules that give packets marks, in the map's two halves: one is in force, a change is made in the other and then takes its place.
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import type { Address, Family } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import { checkRule, type MarkProtocol, type MarkRule, type MarkRules, markProtocols } from '../model/mark.ts';
import type { Maps } from './maps.ts';
import { waitForPackets } from './service_table.ts';
import { type Numbers, portlessNumbers, protocolNumbers } from './vocabulary.ts';
import { encodeAddress, toAddress } from './wire.ts';

const numberOf: Readonly<Record<MarkProtocol, number>> = { ...protocolNumbers, ...portlessNumbers };

type PortMatch = NonNullable<MarkRule['sourcePorts']>;

interface AddressRow {
  readonly word: readonly number[];
}

interface PortsRow {
  readonly first: number;
  readonly last: number;
}

/** struct mark_rule of bpf/fairlead.h. */
interface RuleRow {
  readonly target: AddressRow;
  readonly target_mask: AddressRow;
  readonly source: AddressRow;
  readonly source_mask: AddressRow;
  readonly value: number;
  readonly mask: number;
  readonly marked: number;
  readonly marked_mask: number;
  readonly interface: number;
  readonly flags: number;
  readonly protocol: number;
  readonly family: number;
  readonly source_port_count: number;
  readonly target_port_count: number;
  readonly interface_name: Uint8Array;
  readonly target_ports: readonly PortsRow[];
  readonly source_ports: readonly PortsRow[];
}

export function countMarkRules(maps: Maps): number {
  return readInForce(maps).count;
}

/** Needs no lock: if another change was made meanwhile, and perhaps a third one in this half, it is read again. */
export function readMarkRules(maps: Maps): MarkRules {
  for (;;) {
    const before = readInForce(maps);
    const found = readRows(maps, before);
    if (readInForce(maps).word === before.word) return found.flatMap((row) => toRule(maps, row));
  }
}

/** Under the instance's lock. Packets see the rules of before until they see all of these. */
export function writeMarkRules(maps: Maps, rules: MarkRules): void {
  for (const rule of rules) checkRule(rule);
  putInForce(maps, toRows(maps, rules));
}

/**
 * Under the instance's lock: interfaces that came, or came back under another index, are found again; but not if there are now
 * more than there is room for, since nobody asked for a change of the rules.
 */
export function followInterfaces(maps: Maps): void {
  const present = readRows(maps, readInForce(maps));
  if (present.length === 0) return;
  const wanted = toRows(
    maps,
    present.flatMap((row) => toRule(maps, row)),
  );
  const indexes = (rows: readonly RuleRow[]): string => rows.map((row) => row.interface).join();
  const isRoom = wanted.length <= maps.vocabulary.numbers.MARK_RULES;
  if (isRoom && indexes(present) !== indexes(wanted)) putInForce(maps, wanted);
}

interface InForce {
  readonly word: number;
  readonly count: number;
  readonly half: 0 | 1;
  /** Another after each change. */
  readonly version: number;
}

function readInForce(maps: Maps): InForce {
  const word = maps.rows('settings').number('mark_rules').get(0);
  const { MARK_COUNT_MASK, MARK_SECOND_HALF, MARK_VERSION_SHIFT } = maps.vocabulary.numbers;
  const half = word & MARK_SECOND_HALF ? 1 : 0;
  return { word, count: word & MARK_COUNT_MASK, half, version: word >>> MARK_VERSION_SHIFT };
}

function readRows(maps: Maps, { count, half }: InForce): readonly RuleRow[] {
  const start = half * maps.vocabulary.numbers.MARK_RULES;
  return Array.from({ length: count }, (_, index) => maps.rows('mark_rules').read<RuleRow>(start + index));
}

function putInForce(maps: Maps, wanted: readonly RuleRow[]): void {
  const { MARK_RULES, MARK_SECOND_HALF, MARK_VERSION_SHIFT } = maps.vocabulary.numbers;
  if (wanted.length > MARK_RULES) {
    throw new FairleadError(
      'table-full',
      `there is room for ${MARK_RULES} mark rules, and these take ${wanted.length}`,
    );
  }
  const present = readInForce(maps);
  const half = present.half === 0 ? 1 : 0;
  // Packets may still read what was in force before the last change.
  waitForPackets(maps);
  const rows = maps.rows('mark_rules');
  for (const [index, row] of wanted.entries()) {
    const at = half * MARK_RULES + index;
    rows.clear(at);
    rows.patch(at, row);
  }
  maps
    .rows('settings')
    .number('mark_rules')
    .set(
      0,
      (wanted.length | (half === 1 ? MARK_SECOND_HALF : 0) | ((present.version + 1) << MARK_VERSION_SHIFT)) >>> 0,
    );
}

function toRows(maps: Maps, rules: MarkRules): readonly RuleRow[] {
  const present = interfaces();
  return rules.flatMap((rule) => {
    const row = toRow(rule, maps.vocabulary.numbers);
    const [first, ...others] = indexesOf(rule, present);
    const { MARK_SAME } = maps.vocabulary.numbers;
    return [
      { ...row, interface: first ?? 0 },
      ...others.map((index) => ({ ...row, interface: index, flags: row.flags | MARK_SAME })),
    ];
  });
}

/** Of the interfaces that a rule is for; a packet comes by one of them only. */
function indexesOf({ interface: asked }: MarkRule, present: readonly Interface[]): readonly number[] {
  if (asked === undefined) return [];
  const prefix = asked.name.endsWith('+') ? asked.name.slice(0, -1) : undefined;
  const isMeant = ({ name }: Interface): boolean =>
    prefix === undefined ? name === asked.name : name.startsWith(prefix);
  return present.filter(isMeant).map(({ index }) => index);
}

function toRow(rule: MarkRule, numbers: Numbers): Omit<RuleRow, 'interface'> {
  const { source, target, protocol, sourcePorts, targetPorts, mark, set } = rule;
  const flag = (condition: boolean | undefined, bit: number): number => (condition ? bit : 0);
  return {
    ...toAddressRows('target', target),
    ...toAddressRows('source', source),
    value: set?.value ?? 0,
    mask: set?.mask ?? 0,
    marked: mark?.value ?? 0,
    marked_mask: mark?.mask ?? 0,
    flags:
      flag(source?.isNot, numbers.MARK_NOT_SOURCE) |
      flag(target?.isNot, numbers.MARK_NOT_TARGET) |
      flag(protocol?.isNot, numbers.MARK_NOT_PROTOCOL) |
      flag(sourcePorts?.isNot, numbers.MARK_NOT_SOURCE_PORTS) |
      flag(targetPorts?.isNot, numbers.MARK_NOT_TARGET_PORTS) |
      flag(rule.interface?.isNot, numbers.MARK_NOT_INTERFACE) |
      flag(mark?.isNot, numbers.MARK_NOT_MARK) |
      flag(rule.interface !== undefined, numbers.MARK_INTERFACE) |
      flag(mark !== undefined, numbers.MARK_MARKED) |
      flag(set !== undefined, numbers.MARK_SETS) |
      flag(rule.isLast, numbers.MARK_ENDS),
    protocol: protocol === undefined ? 0 : numberOf[protocol.name],
    family: rule.family ?? source?.address.family ?? target?.address.family ?? 0,
    interface_name: Buffer.from(rule.interface?.name ?? '', 'latin1'),
    source_port_count: sourcePorts?.ranges.length ?? 0,
    target_port_count: targetPorts?.ranges.length ?? 0,
    source_ports: sourcePorts?.ranges ?? [],
    target_ports: targetPorts?.ranges ?? [],
  };
}

function toAddressRows<Name extends 'source' | 'target'>(
  name: Name,
  range: MarkRule['source'],
): Record<Name | `${Name}_mask`, AddressRow> {
  const [address, mask] = [range?.address, range?.mask].map((one) => ({ word: wordsOf(one) }));
  return { [name]: address, [`${name}_mask`]: mask } as Record<Name | `${Name}_mask`, AddressRow>;
}

function wordsOf(address: Address | undefined): readonly number[] {
  const bytes = address === undefined ? Buffer.alloc(16) : encodeAddress(address);
  return [0, 4, 8, 12].map((at) => bytes.readUInt32LE(at));
}

/** Nothing for a row that is but another interface of the rule before it. */
function toRule({ vocabulary }: Maps, row: RuleRow): MarkRules {
  const { numbers } = vocabulary;
  const has = (bit: number): boolean => (row.flags & bit) !== 0;
  if (has(numbers.MARK_SAME)) return [];
  const family = row.family === 6 ? 6 : 4;
  const protocol = markProtocols.find((name) => numberOf[name] === row.protocol);
  const ports = (ranges: readonly PortsRow[], count: number, isNot: boolean): PortMatch => ({
    ranges: ranges.slice(0, count),
    isNot,
  });
  const range = (address: AddressRow, mask: AddressRow, isNot: boolean): MarkRule['source'] =>
    isNot || mask.word.some((word) => word !== 0)
      ? { address: addressOf(address, family), mask: addressOf(mask, family), isNot }
      : undefined;
  const source = range(row.source, row.source_mask, has(numbers.MARK_NOT_SOURCE));
  const target = range(row.target, row.target_mask, has(numbers.MARK_NOT_TARGET));
  const { source_port_count: sourceCount, target_port_count: targetCount } = row;
  const name = Buffer.from(row.interface_name).toString('latin1').replace(/\0.*$/s, '');
  return [
    {
      ...(row.family === 0 ? {} : { family }),
      ...(protocol && { protocol: { name: protocol, isNot: has(numbers.MARK_NOT_PROTOCOL) } }),
      ...(source && { source }),
      ...(target && { target }),
      ...(has(numbers.MARK_INTERFACE) && { interface: { name, isNot: has(numbers.MARK_NOT_INTERFACE) } }),
      ...(sourceCount > 0 && {
        sourcePorts: ports(row.source_ports, sourceCount, has(numbers.MARK_NOT_SOURCE_PORTS)),
      }),
      ...(targetCount > 0 && {
        targetPorts: ports(row.target_ports, targetCount, has(numbers.MARK_NOT_TARGET_PORTS)),
      }),
      ...(has(numbers.MARK_MARKED) && {
        mark: { value: row.marked, mask: row.marked_mask, isNot: has(numbers.MARK_NOT_MARK) },
      }),
      ...(has(numbers.MARK_SETS) && { set: { value: row.value, mask: row.mask } }),
      isLast: has(numbers.MARK_ENDS),
    },
  ];
}

function addressOf({ word }: AddressRow, family: Family): Address {
  const bytes = Buffer.alloc(16);
  word.forEach((one, index) => void bytes.writeUInt32LE(one, index * 4));
  return toAddress(bytes, family);
}
