// Rules that give packets marks, as iptables' MARK in PREROUTING does, and the edits of their list: pure values.
import { type Address, equalAddresses, type Family, formatAddress } from './address.ts';
import { FairleadError } from './error.ts';

/** What a mark's service can schedule. */
export const markProtocols = ['tcp', 'udp', 'sctp', 'esp', 'ah'] as const;
export type MarkProtocol = (typeof markProtocols)[number];

/** `isNot`: anything else than that. */
export type Match<Value> = Value & { readonly isNot: boolean };

export interface AddressRange {
  readonly address: Address;
  /** As in iptables, any bits. */
  readonly mask: Address;
}

/** Both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The mark becomes `mark & ~mask ^ value`. */
export interface MarkChange {
  readonly value: number;
  readonly mask: number;
}

/** What is absent is not asked for. */
export interface MarkRule {
  readonly family?: Family;
  readonly protocol?: Match<{ readonly name: MarkProtocol }>;
  readonly source?: Match<AddressRange>;
  readonly target?: Match<AddressRange>;
  /** Of an interface that is there or will be; a `+` at its end stands for any rest. */
  readonly interface?: Match<{ readonly name: string }>;
  readonly sourcePorts?: Match<{ readonly ranges: readonly PortRange[] }>;
  readonly targetPorts?: Match<{ readonly ranges: readonly PortRange[] }>;
  /** What rules before this one have made of the mark: `mark & mask` is `value`. */
  readonly mark?: Match<MarkChange>;
  readonly set?: MarkChange;
  /** Rules after it are not looked at: iptables' ACCEPT and RETURN. */
  readonly isLast: boolean;
}

/** The first is the first that a packet meets. */
export type MarkRules = readonly MarkRule[];

export const wholeMask = 0xffffffff;
/** XT_MULTI_PORTS counts a range twice; here each is one. */
export const mostPortRanges = 15;
/** IFNAMSIZ without the byte that ends it. */
const mostNameBytes = 15;

export function appendRule(rules: MarkRules, rule: MarkRule): MarkRules {
  checkRule(rule);
  return [...rules, rule];
}

/** `number` is the new rule's, counted from 1. */
export function insertRule(rules: MarkRules, number: number, rule: MarkRule): MarkRules {
  checkRule(rule);
  if (!Number.isInteger(number) || number < 1 || number > rules.length + 1) {
    throw new FairleadError('out-of-range', `expected a number from 1 to ${rules.length + 1}, got ${number}`);
  }
  return [...rules.slice(0, number - 1), rule, ...rules.slice(number - 1)];
}

export function deleteRuleAt(rules: MarkRules, number: number): MarkRules {
  if (rules[number - 1] === undefined) throw new FairleadError('mark-rule-missing', `there is no mark rule ${number}`);
  return rules.filter((_, index) => index !== number - 1);
}

/** The first that is the same. */
export function deleteRule(rules: MarkRules, rule: MarkRule): MarkRules {
  const text = formatRule(rule);
  const index = rules.findIndex((one) => formatRule(one) === text);
  if (index < 0) throw new FairleadError('mark-rule-missing', `there is no mark rule ${text}`);
  return deleteRuleAt(rules, index + 1);
}

/** Throws bad-input for what no packet could match, or what would not be what it says. */
export function checkRule({ family, protocol, source, target, sourcePorts, targetPorts, ...rule }: MarkRule): void {
  const refuse = (why: string): never => {
    throw new FairleadError('bad-input', why);
  };
  const families = [family, source?.address.family, target?.address.family].filter((one) => one !== undefined);
  if (families.some((one) => one !== families[0])) refuse('a packet has addresses of one family');
  for (const ports of [sourcePorts, targetPorts]) {
    if (ports === undefined) continue;
    if (protocol === undefined || protocol.isNot || protocol.name === 'esp' || protocol.name === 'ah') {
      refuse('ports need -p tcp, udp or sctp');
    }
    if (ports.ranges.length > mostPortRanges) refuse(`a rule takes up to ${mostPortRanges} ports or ranges of ports`);
  }
  const name = rule.interface?.name;
  if (name !== undefined && (name === '' || name === '+' || name.length > mostNameBytes || /[\s/]/.test(name))) {
    refuse(`expected the name of an interface, got ${JSON.stringify(name)}`);
  }
  if (rule.interface?.isNot && name?.endsWith('+')) refuse('! -i with a name that ends in + is not supported');
  if (rule.set === undefined && !rule.isLast) refuse('the rule does nothing: --set-mark or -j ACCEPT is missing');
}

export function familyOf({ family, source, target }: MarkRule): Family | undefined {
  return family ?? source?.address.family ?? target?.address.family;
}

/** As one would write it behind `fairlead mark add`. */
export function formatRule(rule: MarkRule): string {
  const { protocol, source, target, sourcePorts, targetPorts, mark, set } = rule;
  const hasAddress = source !== undefined || target !== undefined;
  return [
    ...(rule.family === undefined || hasAddress ? [] : [rule.family === 4 ? '-4' : '-6']),
    ...option('-p', protocol, ({ name }) => name),
    ...option('-s', source, formatRange),
    ...option('-d', target, formatRange),
    ...option('-i', rule.interface, ({ name }) => name),
    ...portsOption('sport', sourcePorts),
    ...portsOption('dport', targetPorts),
    ...option('--mark', mark, formatMark),
    ...(set === undefined ? [] : [formatChange(set)]),
    ...(rule.isLast ? ['-j ACCEPT'] : []),
  ].join(' ');
}

function option<Value>(name: string, match: Match<Value> | undefined, format: (value: Value) => string): string[] {
  return match === undefined ? [] : [`${match.isNot ? '! ' : ''}${name} ${format(match)}`];
}

function portsOption(name: string, ports: MarkRule['sourcePorts']): string[] {
  return option(`--${name}${(ports?.ranges.length ?? 0) > 1 ? 's' : ''}`, ports, ({ ranges }) =>
    ranges.map(formatPorts).join(','),
  );
}

export function formatPorts({ first, last }: PortRange): string {
  return first === last ? `${first}` : `${first}:${last}`;
}

/** `10.0.0.0/8`, a whole address without a length, and a mask that is no prefix as an address. */
export function formatRange({ address, mask }: AddressRange): string {
  const length = prefixLength(mask);
  if (length === undefined) return `${formatAddress(address)}/${formatAddress(mask)}`;
  return length === mask.bytes.length * 8 ? formatAddress(address) : `${formatAddress(address)}/${length}`;
}

/** undefined: it is none. */
export function prefixLength(mask: Address): number | undefined {
  const bits = mask.bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const length = bits.lastIndexOf('1') + 1;
  return equalAddresses(mask, prefixMask(mask.family, length)) ? length : undefined;
}

export function prefixMask(family: Family, length: number): Address {
  const bytes = Array.from({ length: family === 4 ? 4 : 16 }, (_, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return (0xff00 >> bits) & 0xff;
  });
  return { family, bytes };
}

function formatMark({ value, mask }: MarkChange): string {
  return mask === wholeMask ? `${value}` : `${hex(value)}/${hex(mask)}`;
}

function formatChange({ value, mask }: MarkChange): string {
  return mask === wholeMask ? `--set-mark ${value}` : `--set-xmark ${hex(value)}/${hex(mask)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
