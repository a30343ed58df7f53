// The values of a mark rule's options, as iptables reads them.
import { type Address, readAddress } from './address.ts';
import { FairleadError } from './error.ts';
import {
  type AddressRange,
  type MarkChange,
  type MarkProtocol,
  markProtocols,
  type PortRange,
  prefixMask,
  wholeMask,
} from './mark.ts';

/** IANA's, which iptables takes too. */
const protocolsByNumber: Readonly<Record<string, MarkProtocol>> = {
  '6': 'tcp',
  '17': 'udp',
  '132': 'sctp',
  '50': 'esp',
  '51': 'ah',
  'ipv6-crypt': 'esp',
  'ipv6-auth': 'ah',
};

/** undefined: all of them. */
export function readProtocol(text: string): MarkProtocol | undefined {
  const name = text.toLowerCase();
  if (name === 'all' || name === '0') return undefined;
  const protocol = protocolsByNumber[name] ?? markProtocols.find((one) => one === name);
  return protocol ?? refuse(`no service schedules the protocol ${JSON.stringify(text)} by its mark`);
}

/** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `2001:db8::/32`. What the mask leaves out becomes 0. */
export function readAddressRange(text: string): AddressRange {
  const [, before = text, after] = /^([^/]*)\/(.*)$/.exec(text) ?? [];
  const address = readAddress(before);
  if (address === undefined) return refuse(`expected an address or ADDRESS/PREFIX, got ${JSON.stringify(text)}`);
  const bits = address.bytes.length * 8;
  const mask = after === undefined ? prefixMask(address.family, bits) : readMask(address, after);
  if (mask === undefined) return refuse(`expected a prefix from 0 to ${bits} or a mask, got ${JSON.stringify(text)}`);
  const bytes = address.bytes.map((byte, index) => byte & (mask.bytes[index] ?? 0));
  return { address: { family: address.family, bytes }, mask };
}

function readMask({ family, bytes }: Address, text: string): Address | undefined {
  if (/^\d{1,3}$/.test(text)) {
    return Number(text) <= bytes.length * 8 ? prefixMask(family, Number(text)) : undefined;
  }
  const mask = readAddress(text);
  return mask?.family === family ? mask : undefined;
}

/** `80`, `1000:2000`, `:1023`, `1024:`. */
export function readPortRange(text: string): PortRange {
  const [, low = '', colon, high = ''] = /^(\d*)(:?)(\d*)$/.exec(text) ?? [];
  const first = readPort(low === '' && colon ? '0' : low, text);
  const last = colon ? readPort(high || '65535', text) : first;
  return first <= last ? { first, last } : refuse(`expected ports from low to high, got ${JSON.stringify(text)}`);
}

function readPort(text: string, whole: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65535 ? port : refuse(`expected a port from 0 to 65535, or FIRST:LAST, got ${JSON.stringify(whole)}`);
}

/** `VALUE[/MASK]`: the bits of the mask become 0, then the value is put in: by "or", as --set-mark, or by "xor". */
export function readChange(text: string, how: 'or' | 'xor'): MarkChange {
  const { value, mask } = readPair(text);
  return { value, mask: how === 'or' ? (mask | value) >>> 0 : mask };
}

/** `VALUE[/MASK]`: what the mark must be under the mask. */
export function readMarkMatch(text: string): MarkChange {
  return readPair(text);
}

function readPair(text: string): MarkChange {
  const [value = '', mask, ...rest] = text.split('/');
  if (rest.length > 0) refuse(`expected VALUE or VALUE/MASK, got ${JSON.stringify(text)}`);
  return { value: readU32(value, 'a mark'), mask: mask === undefined ? wholeMask : readU32(mask, 'a mask') };
}

/** Decimal, 0x hexadecimal, or octal after a 0. */
export function readU32(text: string, what: string): number {
  const isOctal = /^0[0-7]+$/.test(text);
  const isNumber = isOctal || /^(0x[0-9a-f]+|\d+)$/i.test(text);
  const number = isNumber ? Number(isOctal ? `0o${text}` : text) : Number.NaN;
  return number <= 0xffffffff ? number : refuse(`expected ${what} from 0 to 4294967295, got ${JSON.stringify(text)}`);
}

function refuse(why: string): never {
  throw new FairleadError('bad-input', why);
}
