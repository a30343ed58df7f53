// IP addresses as one type for both families: bytes in network order, and the texts people write them in.
import { FairleadError } from './error.ts';

export type Family = 4 | 6;

export function otherFamily(family: Family): Family {
  return family === 4 ? 6 : 4;
}

export interface Address {
  readonly family: Family;
  /** 4 or 16 bytes, network order. */
  readonly bytes: readonly number[];
}

/** Reads what inet_pton reads: four decimal numbers, or RFC 4291's forms of IPv6 (no brackets, no zone). */
export function parseAddress(text: string): Address {
  const address = readAddress(text);
  if (address === undefined) {
    throw new FairleadError('bad-input', `expected an IPv4 or IPv6 address, got ${JSON.stringify(text)}`);
  }
  return address;
}

/** As parseAddress, with undefined for what is no address. */
export function readAddress(text: string): Address | undefined {
  const bytes = text.includes(':') ? readIpv6(text) : readDottedQuad(text);
  return bytes === undefined ? undefined : { family: text.includes(':') ? 6 : 4, bytes };
}

/** Writes what inet_ntop writes: RFC 5952, with a dotted tail for ::a.b.c.d and ::ffff:a.b.c.d. */
export function formatAddress(address: Address): string {
  const { family, bytes } = address;
  return family === 4 ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` : formatIpv6(bytes);
}

/** `10.0.0.1:80` or `[fd00::1]:80`. */
export function formatEndpoint(address: Address, port: number): string {
  return `${bracketed(address)}:${port}`;
}

export function equalAddresses(one: Address, other: Address): boolean {
  return one === other || (one.family === other.family && one.bytes.every((byte, at) => byte === other.bytes[at]));
}

/** IPv4 before IPv6, then by value. ipvsadm's own listing order is another one: see cli/ipvsadm/sort.ts. */
export function compareAddresses(one: Address, other: Address): number {
  if (one.family !== other.family) return one.family - other.family;
  for (const [at, byte] of one.bytes.entries()) {
    const difference = byte - (other.bytes[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether the first bits of both, so many, are the same. */
export function isInNetwork(address: Address, network: Address, bits: number): boolean {
  if (address.family !== network.family) return false;
  return address.bytes.every((byte, at) => {
    const hostBits = 8 - Math.min(8, Math.max(0, bits - at * 8));
    return byte >> hostBits === (network.bytes[at] ?? 0) >> hostBits;
  });
}

/**
 * The kernel's inet_addr_type and ipv6_addr_type, as far as the address alone decides: neither "this network" (0/8, ::),
 * nor multicast, nor the limited broadcast, nor of IPv6 link-local and IPv4-mapped ones.
 */
export function isUnicast(address: Address): boolean {
  const [first = 0, second = 0] = address.bytes;
  if (address.family === 4) {
    return first !== 0 && !(first >= 224 && first < 240) && !address.bytes.every((byte) => byte === 255);
  }
  const isLinkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  const isMapped = address.bytes.slice(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff));
  return first !== 0xff && !isLinkLocal && !isMapped && !address.bytes.every((byte) => byte === 0);
}

/** 127/8 or ::1. */
export function isLoopback({ family, bytes }: Address): boolean {
  return family === 4 ? bytes[0] === 127 : bytes.every((byte, at) => byte === (at === 15 ? 1 : 0));
}

/**
 * What inet_aton reads, and ipvsadm with it: one to four numbers, decimal, octal or hexadecimal, the last one filling
 * the remaining bytes (`10.0.0` is 10.0.0.0, `10.1` is 10.0.0.1).
 */
export function readInetAton(text: string): Address | undefined {
  const quad = readDottedQuad(text);
  if (quad !== undefined) return { family: 4, bytes: quad };
  // glibc stops at white space and does not look at what follows it.
  const parts = (text.split(/[ \t\n\v\f\r]/, 1)[0] ?? '').split('.');
  const numbers = parts.map(readCNumber);
  const last = numbers.pop();
  if (parts.length > 4 || last === undefined) return undefined;
  if (!numbers.every((number): number is number => number !== undefined && number <= 255)) return undefined;
  const width = 4 - numbers.length;
  if (last >= 256 ** width) return undefined;
  const tail = Array.from({ length: width }, (_, at) => Math.floor(last / 256 ** (width - 1 - at)) % 256);
  return { family: 4, bytes: [...numbers, ...tail] };
}

function readCNumber(text: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
}

function bracketed(address: Address): string {
  return address.family === 4 ? formatAddress(address) : `[${formatAddress(address)}]`;
}

const dottedQuad = /^(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})$/;

function readDottedQuad(text: string): number[] | undefined {
  const match = dottedQuad.exec(text);
  if (match === null) return undefined;
  const bytes = [Number(match[1]), Number(match[2]), Number(match[3]), Number(match[4])];
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function readIpv6(text: string): number[] | undefined {
  const sides = text.split('::');
  if (sides.length > 2) return undefined;
  const [head, tail] = [readGroups(sides[0] ?? '', sides.length === 1), readGroups(sides[1] ?? '', true)];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // inet_pton lets :: stand for at least one group, and without :: all eight must be there.
  if (sides.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function readGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [at, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
      continue;
    }
    const dotted = mayEndDotted && at === groups.length - 1 ? readDottedQuad(group) : undefined;
    if (dotted === undefined) return undefined;
    bytes.push(...dotted);
  }
  return bytes;
}

function formatIpv6(bytes: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, at) => (bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const isMapped = start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff));
  const texts = groups.map((group) => group.toString(16));
  if (isMapped) texts.splice(6, 2, bytes.slice(12).join('.'));
  if (length < 2) return texts.join(':');
  return `${texts.slice(0, start).join(':')}::${texts.slice(start + length).join(':')}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [at, group] of groups.entries()) {
    if (group !== 0) start = at + 1;
    else if (at + 1 - start > best.length) best = { start, length: at + 1 - start };
  }
  return best;
}
