// Questions and answers of DNS: RFC 1035, 3596 (AAAA) and 2782 (SRV).
import { formatAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';

const numbers = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const;
export type RecordType = keyof typeof numbers;

export interface DnsAnswer {
  readonly id: number;
  /** RCODE: 0 is none. */
  readonly code: number;
  /** It did not fit: TCP has all of it. */
  readonly isCut: boolean;
  /** Of the type that was asked for, as zone files write them, without the dot at the end. */
  readonly records: readonly string[];
}

const headerBytes = 12;
const RECURSION_DESIRED = 0x100;
const RESPONSE = 0x8000;
const CUT = 0x200;
const IN = 1;
const mostPointers = 32;

/** Throws bad-input for what is no name. */
export function encodeQuestion(id: number, name: string, type: RecordType): Buffer {
  const labels = name.replace(/\.$/, '').split('.');
  if (name !== '.' && labels.some((label) => label === '' || Buffer.byteLength(label) > 63))
    throw new FairleadError('bad-input', `expected a name of DNS, got ${JSON.stringify(name)}`);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  const bytes = (name === '.' ? [] : labels).map((label) =>
    Buffer.concat([Buffer.of(Buffer.byteLength(label)), Buffer.from(label)]),
  );
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(numbers[type], 1);
  tail.writeUInt16BE(IN, 3);
  return Buffer.concat([header, ...bytes, tail]);
}

/** undefined for what is no answer, or damaged. */
export function decodeAnswer(message: Buffer, type: RecordType): DnsAnswer | undefined {
  try {
    return decode(message, type);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Throws RangeError beyond the end. */
function decode(message: Buffer, type: RecordType): DnsAnswer | undefined {
  const flags = message.readUInt16BE(2);
  if ((flags & RESPONSE) === 0) return undefined;
  let at = headerBytes;
  for (let left = message.readUInt16BE(4); left > 0; left--) at = readName(message, at).end + 4;
  const records: string[] = [];
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    const { end } = readName(message, at);
    const length = message.readUInt16BE(end + 8);
    const data = end + 10;
    if (message.readUInt16BE(end) === numbers[type]) records.push(formatData(message, type, data, length));
    at = data + length;
  }
  return { id: message.readUInt16BE(0), code: flags & 0xf, isCut: (flags & CUT) !== 0, records };
}

function formatData(message: Buffer, type: RecordType, at: number, length: number): string {
  const name = (from: number): string => readName(message, from).name;
  switch (type) {
    case 'A':
      return [...bytesAt(message, at, 4)].join('.');
    case 'AAAA':
      return formatSix(bytesAt(message, at, 16));
    case 'MX':
      return `${message.readUInt16BE(at)} ${name(at + 2)}`;
    case 'SRV':
      return `${[0, 2, 4].map((place) => message.readUInt16BE(at + place)).join(' ')} ${name(at + 6)}`;
    case 'SOA': {
      const primary = readName(message, at);
      const person = readName(message, primary.end);
      const rest = [0, 4, 8, 12, 16].map((place) => message.readUInt32BE(person.end + place));
      return [primary.name, person.name, ...rest].join(' ');
    }
    case 'TXT':
      return readTexts(bytesAt(message, at, length));
    default:
      return name(at);
  }
}

function readTexts(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt8(at)) {
    text += bytes.toString('utf8', at + 1, at + 1 + bytes.readUInt8(at));
  }
  return text;
}

/** `end`: behind it in place, wherever pointers led. */
function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  let at = start;
  for (let pointers = 0; ; ) {
    const length = message.readUInt8(at);
    if (length >= 0xc0) {
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
      if (++pointers > mostPointers) throw new RangeError('a name that points in a circle');
      continue;
    }
    if (length === 0) return { name: labels.join('.'), end: end ?? at + 1 };
    labels.push(bytesAt(message, at + 1, length).toString('latin1'));
    at += 1 + length;
  }
}

function bytesAt(message: Buffer, at: number, length: number): Buffer {
  if (at + length > message.length) throw new RangeError('the message ends too early');
  return message.subarray(at, at + length);
}

function formatSix(bytes: Buffer): string {
  return formatAddress({ family: 6, bytes: [...bytes] });
}
