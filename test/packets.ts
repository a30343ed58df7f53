// Frames for the tests: built from what they say, taken apart again, and every checksum in them verified.
import { formatAddress, parseAddress } from '../src/model/address.ts';

export const protocol = {
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmp6: 58,
  sctp: 132,
} as const;
/** IPv6's headers that come before the transport's. */
export const extension = { hopByHop: 0, routing: 43, fragment: 44, destination: 60 } as const;
export const flag = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;
const type = { ipv4: 0x0800, vlan: 0x8100, ipv6: 0x86dd } as const;

export interface Extension {
  readonly type: number;
  /** After its first two bytes, next header and length; 6, 14, 22 ... of them. */
  readonly body: Uint8Array;
  /** In units of 8 bytes, the first not counted. */
  readonly length?: number;
}

/** What is not given is as an ordinary packet has it. Of IPv6 if its source is. */
export interface Description {
  readonly destinationMac?: string;
  readonly sourceMac?: string;
  /** VLAN numbers, the outermost first. */
  readonly tags?: readonly number[];
  readonly etherType?: number;
  readonly source: string;
  readonly destination: string;
  readonly version?: number;
  /** In words. */
  readonly headerLength?: number;
  readonly options?: Uint8Array;
  /** IPv6. */
  readonly extensions?: readonly Extension[];
  /** IPv6's hop limit. */
  readonly ttl?: number;
  readonly tos?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly moreFragments?: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number;
  readonly totalLength?: number;
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Its presence makes it TCP. */
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly tcpOptions?: Uint8Array;
  readonly withoutChecksum?: boolean;
  /** Their presence makes it SCTP. */
  readonly chunks?: readonly Chunk[];
  /** What stands behind the IP header, whole. */
  readonly body?: Uint8Array;
  readonly payload?: Uint8Array;
  /** Bytes after the IP packet's end. */
  readonly padding?: number;
}

export interface Chunk {
  readonly type: number;
  /** What it says; its real one if not given. */
  readonly length?: number;
  readonly value?: Uint8Array;
}

export interface Parsed {
  readonly destinationMac: string;
  readonly sourceMac: string;
  readonly tags: readonly number[];
  readonly etherType: number;
  readonly ip: IpPacket;
}

export interface IpPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset: number;
  readonly totalLength: number;
  readonly options: Buffer;
  /** IPv6: extension headers, whole. */
  readonly extensions?: readonly Buffer[];
  /** TCP, UDP and SCTP. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly checksum?: number;
  /** ICMP. */
  readonly icmp?: { readonly type: number; readonly code: number; readonly mtu: number };
  /** After the TCP, UDP, SCTP or ICMP header; a later fragment's has none of these. */
  readonly payload: Buffer;
  /** Of IPIP: the packet inside; of an ICMP error: the packet quoted, perhaps cut. */
  readonly inner?: IpPacket;
}

export function build(description: Description): Buffer {
  const { destinationMac = '00:00:00:00:00:00', sourceMac = '02:00:00:00:00:99', tags = [], padding = 0 } = description;
  const own = isSix(description) ? type.ipv6 : type.ipv4;
  const types = [...tags.flatMap((tag) => [type.vlan, tag]), description.etherType ?? own];
  const words = Buffer.alloc(types.length * 2);
  for (const [index, word] of types.entries()) words.writeUInt16BE(word, index * 2);
  return Buffer.concat([
    macBytes(destinationMac),
    macBytes(sourceMac),
    words,
    buildIp(description),
    Buffer.alloc(padding),
  ]);
}

/** From the IP header on. */
export function buildIp(description: Description): Buffer {
  return isSix(description) ? buildSix(description) : buildFour(description);
}

function buildFour(description: Description): Buffer {
  const { source, destination, options = Buffer.alloc(0) } = description;
  const body = buildBody(description);
  const header = Buffer.alloc(20 + options.length);
  header.writeUInt8(((description.version ?? 4) << 4) | (description.headerLength ?? header.length / 4), 0);
  header.writeUInt8(description.tos ?? 0, 1);
  header.writeUInt16BE(description.totalLength ?? header.length + body.length, 2);
  header.writeUInt16BE(description.id ?? 0x1234, 4);
  const fragment = (description.dontFragment ? 0x4000 : 0) | (description.moreFragments ? 0x2000 : 0);
  header.writeUInt16BE(fragment | (description.fragmentOffset ?? 0), 6);
  header.writeUInt8(description.ttl ?? 64, 8);
  header.writeUInt8(protocolOf(description), 9);
  header.set(parseAddress(source).bytes, 12);
  header.set(parseAddress(destination).bytes, 16);
  header.set(options, 20);
  header.writeUInt16BE(checksumOf(header), 10);
  return Buffer.concat([header, body]);
}

function isSix({ source }: Pick<Description, 'source'>): boolean {
  return source.includes(':');
}

function buildSix(description: Description): Buffer {
  const { source, destination, extensions = [] } = description;
  const types = [...extensions.map((one) => one.type), protocolOf(description)];
  const headers = extensions.map(({ body, length }, index) =>
    Buffer.from([types[index + 1] ?? 0, length ?? (body.length + 2) / 8 - 1, ...body]),
  );
  const body = Buffer.concat([...headers, buildBody(description)]);
  const header = Buffer.alloc(40);
  header.writeUInt32BE((((description.version ?? 6) << 28) | ((description.tos ?? 0) << 20)) >>> 0, 0);
  header.writeUInt16BE(description.totalLength === undefined ? body.length : description.totalLength - 40, 4);
  header.writeUInt8(types[0] ?? 0, 6);
  header.writeUInt8(description.ttl ?? 64, 7);
  header.set(parseAddress(source).bytes, 8);
  header.set(parseAddress(destination).bytes, 24);
  return Buffer.concat([header, body]);
}

function buildBody(description: Description): Uint8Array {
  if (description.body !== undefined) return description.body;
  if (description.chunks !== undefined) return buildSctp(description);
  return description.flags === undefined ? buildUdp(description) : buildTcp(description);
}

function protocolOf(description: Description): number {
  if (description.protocol !== undefined) return description.protocol;
  if (description.chunks !== undefined) return protocol.sctp;
  return description.flags === undefined ? protocol.udp : protocol.tcp;
}

function buildSctp(description: Description): Buffer {
  const { chunks = [], payload = Buffer.alloc(0) } = description;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(description.sourcePort ?? 0, 0);
  header.writeUInt16BE(description.destinationPort ?? 0, 2);
  header.writeUInt32BE(0x0badcafe, 4);
  const packet = Buffer.concat([header, ...chunks.map(buildChunk), payload]);
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

function buildChunk({ type: number, length, value = Buffer.alloc(0) }: Chunk): Buffer {
  const chunk = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  chunk.writeUInt8(number, 0);
  chunk.writeUInt16BE(length ?? 4 + value.length, 2);
  chunk.set(value, 4);
  return chunk;
}

function buildTcp(description: Description): Buffer {
  const { tcpOptions = Buffer.alloc(0), payload = Buffer.alloc(0) } = description;
  const segment = Buffer.concat([Buffer.alloc(20), tcpOptions, payload]);
  segment.writeUInt16BE(description.sourcePort ?? 0, 0);
  segment.writeUInt32BE(description.acknowledgement ?? 0, 8);
  segment.writeUInt16BE(description.destinationPort ?? 0, 2);
  segment.writeUInt32BE(description.sequence ?? 0x01020304, 4);
  segment.writeUInt8((5 + tcpOptions.length / 4) << 4, 12);
  segment.writeUInt8(description.flags ?? 0, 13);
  segment.writeUInt16BE(0xfaf0, 14);
  segment.writeUInt16BE(checksumOf(Buffer.concat([pseudoHeader(description, segment.length), segment])), 16);
  return segment;
}

function buildUdp(description: Description): Buffer {
  const datagram = Buffer.concat([Buffer.alloc(8), description.payload ?? Buffer.alloc(0)]);
  datagram.writeUInt16BE(description.sourcePort ?? 0, 0);
  datagram.writeUInt16BE(description.destinationPort ?? 0, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  if (description.withoutChecksum) return datagram;
  const sum = checksumOf(Buffer.concat([pseudoHeader(description, datagram.length), datagram]));
  datagram.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return datagram;
}

function pseudoHeader(description: Description, length: number): Buffer {
  const { source, destination } = description;
  return pseudoBytes(parseAddress(source).bytes, parseAddress(destination).bytes, protocolOf(description), length);
}

function pseudoBytes(
  source: readonly number[],
  destination: readonly number[],
  number: number,
  length: number,
): Buffer {
  const tail =
    source.length === 4 ? [0, number, length >> 8, length & 0xff] : [0, 0, length >> 8, length & 0xff, 0, 0, 0, number];
  return Buffer.from([...source, ...destination, ...tail]);
}

/** Throws when it is not IP. */
export function parse(frame: Buffer): Parsed {
  const tags: number[] = [];
  let at = 12;
  for (; frame.readUInt16BE(at) === type.vlan; at += 4) tags.push(frame.readUInt16BE(at + 2));
  const etherType = frame.readUInt16BE(at);
  if (etherType !== type.ipv4 && etherType !== type.ipv6)
    throw new Error(`expected IP, got type ${etherType.toString(16)}`);
  const [destinationMac, sourceMac] = [macText(frame.subarray(0, 6)), macText(frame.subarray(6, 12))];
  const ip = (etherType === type.ipv4 ? parseIp : parseSix)(frame.subarray(at + 2));
  return { destinationMac, sourceMac, tags, etherType, ip };
}

/** What comes before the transport's header, and that. */
function unwrapSix(bytes: Buffer): {
  readonly number: number;
  readonly headers: readonly Buffer[];
  readonly moreFragments: boolean;
  readonly fragmentOffset: number;
  readonly body: Buffer;
} {
  const headers: Buffer[] = [];
  let number = bytes.readUInt8(6);
  let at = 40;
  let fragment = 0;
  while (fragment >> 3 === 0 && (Object.values(extension) as number[]).includes(number)) {
    const length = number === extension.fragment ? 8 : (bytes.readUInt8(at + 1) + 1) * 8;
    if (number === extension.fragment) fragment = bytes.readUInt16BE(at + 2);
    headers.push(Buffer.from(bytes.subarray(at, at + length)));
    number = bytes.readUInt8(at);
    at += length;
  }
  const facts = { moreFragments: (fragment & 1) !== 0, fragmentOffset: fragment >> 3 };
  return { number, headers, ...facts, body: bytes.subarray(at, 40 + bytes.readUInt16BE(4)) };
}

function parseSix(bytes: Buffer): IpPacket {
  const { number, headers, moreFragments, fragmentOffset, body } = unwrapSix(bytes);
  return {
    source: formatAddress({ family: 6, bytes: [...bytes.subarray(8, 24)] }),
    destination: formatAddress({ family: 6, bytes: [...bytes.subarray(24, 40)] }),
    protocol: number,
    ttl: bytes.readUInt8(7),
    tos: (bytes.readUInt16BE(0) >> 4) & 0xff,
    id: 0,
    dontFragment: true,
    moreFragments,
    fragmentOffset,
    totalLength: 40 + bytes.readUInt16BE(4),
    options: Buffer.alloc(0),
    extensions: headers,
    ...(fragmentOffset === 0 ? parseBody(number, body) : { payload: Buffer.from(body) }),
  };
}

function parseIp(bytes: Buffer): IpPacket {
  const header = (bytes.readUInt8(0) & 0xf) * 4;
  const totalLength = bytes.readUInt16BE(2);
  const number = bytes.readUInt8(9);
  const body = bytes.subarray(header, totalLength);
  return {
    source: bytes.subarray(12, 16).join('.'),
    destination: bytes.subarray(16, 20).join('.'),
    protocol: number,
    ttl: bytes.readUInt8(8),
    tos: bytes.readUInt8(1),
    id: bytes.readUInt16BE(4),
    dontFragment: (bytes.readUInt16BE(6) & 0x4000) !== 0,
    moreFragments: (bytes.readUInt16BE(6) & 0x2000) !== 0,
    fragmentOffset: bytes.readUInt16BE(6) & 0x1fff,
    totalLength,
    options: Buffer.from(bytes.subarray(20, header)),
    ...((bytes.readUInt16BE(6) & 0x1fff) === 0 ? parseBody(number, body) : { payload: Buffer.from(body) }),
  };
}

function parseBody(number: number, body: Buffer): Pick<IpPacket, 'payload'> & Partial<IpPacket> {
  if (number === protocol.ipip) return { payload: Buffer.alloc(0), inner: parseIp(body) };
  if (number === protocol.ipv6) return { payload: Buffer.alloc(0), inner: parseSix(body) };
  if (number === protocol.icmp6) {
    const icmp = { type: body.readUInt8(0), code: body.readUInt8(1), mtu: body.readUInt32BE(4) };
    return { icmp, payload: Buffer.from(body.subarray(8)), inner: parseSix(body.subarray(8)) };
  }
  if (number === protocol.icmp) {
    const icmp = { type: body.readUInt8(0), code: body.readUInt8(1), mtu: body.readUInt16BE(6) };
    return { icmp, payload: Buffer.from(body.subarray(8)), inner: parseIp(body.subarray(8)) };
  }
  if (number !== protocol.tcp && number !== protocol.udp && number !== protocol.sctp)
    return { payload: Buffer.from(body) };
  const ports = { sourcePort: body.readUInt16BE(0), destinationPort: body.readUInt16BE(2) };
  if (number === protocol.udp)
    return { ...ports, checksum: body.readUInt16BE(6), payload: Buffer.from(body.subarray(8)) };
  if (number === protocol.sctp) return { ...ports, payload: Buffer.from(body.subarray(12)) };
  if (body.length < 20) return { ...ports, payload: Buffer.from(body.subarray(8)) };
  const numbers = { sequence: body.readUInt32BE(4), acknowledgement: body.readUInt32BE(8) };
  const tcp = { flags: body.readUInt8(13), ...numbers, checksum: body.readUInt16BE(16) };
  return { ...ports, ...tcp, payload: Buffer.from(body.subarray((body.readUInt8(12) >> 4) * 4)) };
}

/** What is wrong with the checksums of a frame, of packets within packets too. */
export function checksumErrors(frame: Buffer): readonly string[] {
  let at = 12;
  while (frame.readUInt16BE(at) === type.vlan) at += 4;
  return errorsOf(frame.subarray(at + 2), 'IP', false);
}

function errorsOf(bytes: Buffer, name: string, isQuoted: boolean): string[] {
  return (bytes.readUInt8(0) >> 4 === 4 ? ipErrors : sixErrors)(bytes, name, isQuoted);
}

function sixErrors(bytes: Buffer, name: string, isQuoted: boolean): string[] {
  if (bytes.length < 40 + bytes.readUInt16BE(4)) return isQuoted ? [] : [`${name} is cut`];
  const { number, body, moreFragments, fragmentOffset } = unwrapSix(bytes);
  if (moreFragments || fragmentOffset > 0) return [];
  const ends: readonly [readonly number[], readonly number[]] = [
    [...bytes.subarray(8, 24)],
    [...bytes.subarray(24, 40)],
  ];
  return bodyErrors(number, body, ends, name, isQuoted);
}

/** A quoted packet may be cut: then its last checksum can't be told. */
function ipErrors(bytes: Buffer, name: string, isQuoted: boolean): string[] {
  const length = (bytes.readUInt8(0) & 0xf) * 4;
  const totalLength = bytes.readUInt16BE(2);
  const errors = checksumOf(bytes.subarray(0, length)) === 0 ? [] : [`${name} header`];
  if (bytes.length < totalLength) return isQuoted ? errors : [...errors, `${name} is cut`];
  const body = bytes.subarray(length, totalLength);
  const ends: readonly [readonly number[], readonly number[]] = [
    [...bytes.subarray(12, 16)],
    [...bytes.subarray(16, 20)],
  ];
  if ((bytes.readUInt16BE(6) & 0x3fff) !== 0) return errors;
  return [...errors, ...bodyErrors(bytes.readUInt8(9), body, ends, name, isQuoted)];
}

function bodyErrors(
  number: number,
  body: Buffer,
  [source, destination]: readonly [readonly number[], readonly number[]],
  name: string,
  isQuoted: boolean,
): string[] {
  if (number === protocol.ipip || number === protocol.ipv6) return errorsOf(body, `${name} in IP`, isQuoted);
  if (number === protocol.icmp) {
    const own = checksumOf(body) === 0 ? [] : [`${name} ICMP`];
    return [...own, ...errorsOf(body.subarray(8), `${name} quoted`, true)];
  }
  if (number === protocol.sctp) {
    const bare = Buffer.from(body);
    bare.writeUInt32LE(0, 8);
    return body.readUInt32LE(8) === crc32c(bare) ? [] : [`${name} layer 4`];
  }
  const isSummed = number === protocol.tcp || number === protocol.udp || number === protocol.icmp6;
  if (!isSummed || (number === protocol.udp && body.readUInt16BE(6) === 0)) return [];
  const sum = checksumOf(Buffer.concat([pseudoBytes(source, destination, number, body.length), body]));
  const errors = sum === 0 ? [] : [`${name} layer 4`];
  return number === protocol.icmp6 ? [...errors, ...errorsOf(body.subarray(8), `${name} quoted`, true)] : errors;
}

/** RFC 1071; of bytes that hold a right checksum it is 0. */
export function checksumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** What the lowest byte of CRC32c's register adds to it when it is shifted out. */
const crcOfByte = Uint32Array.from({ length: 256 }, (_, byte) => {
  let register = byte;
  for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (register & 1 ? 0x82f6_3b78 : 0);
  return register;
});

/** RFC 9260, appendix A. */
export function crc32c(bytes: Uint8Array): number {
  let register = 0xffff_ffff;
  for (const byte of bytes) register = (register >>> 8) ^ (crcOfByte[(register ^ byte) & 0xff] ?? 0);
  return ~register >>> 0;
}

/** An ICMP error, or of ICMPv6 when its ends are of IPv6: from its type on. */
export function buildIcmpError(error: {
  readonly type: number;
  readonly code: number;
  readonly mtu?: number;
  readonly quoted: Uint8Array;
  readonly source: string;
  readonly destination: string;
}): Buffer {
  const message = Buffer.concat([Buffer.alloc(8), error.quoted]);
  message.writeUInt8(error.type, 0);
  message.writeUInt8(error.code, 1);
  message.writeUInt32BE(error.mtu ?? 0, 4);
  const pseudo = isSix(error) ? pseudoHeader({ ...error, protocol: protocol.icmp6 }, message.length) : Buffer.alloc(0);
  message.writeUInt16BE(checksumOf(Buffer.concat([pseudo, message])), 2);
  return message;
}

/** The fragments of a packet, as a router with this MTU (for IPv6 its sender) cuts it. */
export function fragment(frame: Buffer, mtu: number, id = 1): readonly Buffer[] {
  const isFour = frame.readUInt16BE(12) === type.ipv4;
  const own = isFour ? (frame.readUInt8(14) & 0xf) * 4 : 40;
  const header = frame.subarray(14, 14 + own);
  const body = frame.subarray(14 + own, isFour ? 14 + frame.readUInt16BE(16) : 54 + frame.readUInt16BE(18));
  const size = Math.floor((mtu - own - (isFour ? 0 : 8)) / 8) * 8;
  return Array.from({ length: Math.ceil(body.length / size) }, (_, index) => {
    const facts = { offset: index * size, hasMore: (index + 1) * size < body.length, id };
    const part = body.subarray(index * size, (index + 1) * size);
    const headers = isFour ? fragmentFour(header, part.length, facts) : fragmentSix(header, part.length, facts);
    return Buffer.concat([frame.subarray(0, 14), headers, part]);
  });
}

interface FragmentFacts {
  readonly offset: number;
  readonly hasMore: boolean;
  readonly id: number;
}

/** The id stays the packet's. */
function fragmentFour(header: Buffer, length: number, { offset, hasMore }: FragmentFacts): Buffer {
  const own = Buffer.from(header);
  own.writeUInt16BE(own.length + length, 2);
  own.writeUInt16BE((hasMore ? 0x2000 : 0) | (offset / 8), 6);
  own.writeUInt16BE(0, 10);
  own.writeUInt16BE(checksumOf(own), 10);
  return own;
}

function fragmentSix(header: Buffer, length: number, { offset, hasMore, id }: FragmentFacts): Buffer {
  const own = Buffer.concat([header, Buffer.alloc(8)]);
  own.writeUInt8(header.readUInt8(6), 40);
  own.writeUInt8(extension.fragment, 6);
  own.writeUInt16BE(8 + length, 4);
  own.writeUInt16BE(offset | (hasMore ? 1 : 0), 42);
  own.writeUInt32BE(id, 44);
  return own;
}

/** The packet that these fragments, in order, make. */
export function reassemble(frames: readonly Buffer[]): Buffer {
  const [first] = frames;
  if (first === undefined) throw new Error('there are no fragments');
  const isFour = first.readUInt16BE(12) === type.ipv4;
  const own = isFour ? (first.readUInt8(14) & 0xf) * 4 : 48;
  const parts = frames.map((frame) =>
    frame.subarray(14 + own, isFour ? 14 + frame.readUInt16BE(16) : 54 + frame.readUInt16BE(18)),
  );
  let at = 0;
  for (const [index, frame] of frames.entries()) {
    const offset = isFour ? (frame.readUInt16BE(20) & 0x1fff) * 8 : frame.readUInt16BE(14 + 42) & 0xfff8;
    if (offset !== at) throw new Error(`fragment ${index} is at ${offset}, not at ${at}`);
    at += parts[index]?.length ?? 0;
  }
  const header = Buffer.from(first.subarray(0, 14 + (isFour ? own : 40)));
  if (isFour) {
    header.writeUInt16BE(own + at, 16);
    header.writeUInt16BE(0, 20);
    header.writeUInt16BE(0, 24);
    header.writeUInt16BE(checksumOf(header.subarray(14)), 24);
  } else {
    header.writeUInt16BE(at, 18);
    header.writeUInt8(first.readUInt8(14 + 40), 20);
  }
  return Buffer.concat([header, ...parts]);
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function macText(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
