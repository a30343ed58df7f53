// The frames that probes are made of, and what of their answers is looked at. An address of 4 bytes makes a packet of IPv4, one of
// 16 of IPv6.
import type { TunnelEnd } from '../realserver/tunnel.ts';

/** Bytes as on the wire. */
export interface Ends {
  readonly source: readonly number[];
  readonly sourcePort: number;
  readonly target: readonly number[];
  readonly targetPort: number;
}

const etherType = { ipv4: 0x0800, ipv6: 0x86dd } as const;
export const sizeOfEthernet = 14;
const sizeOfIp = { 4: 20, 6: 40 } as const;
const protocol = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, gre: 47, icmp6: 58, uoa: 248 } as const;
export const tcpProtocol = protocol.tcp;
export const toldProtocol = protocol.uoa;
const flag = { syn: 0x02, rst: 0x04, ack: 0x10 } as const;
const ttl = 64;
const window = 1024;

export function ethernet(to: readonly number[], from: readonly number[], type: number, body: Buffer): Buffer {
  const head = Buffer.from([...to, ...from, type >> 8, type & 255]);
  return Buffer.concat([head, body]);
}

export function ipFrame(to: readonly number[], from: readonly number[], packet: Buffer): Buffer {
  return ethernet(to, from, isSix(packet) ? etherType.ipv6 : etherType.ipv4, packet);
}

/**
 * What opens a connection, with so many bytes that nobody reads; with `isAnswer` the answer to such, and with `isReset` what ends it
 * whatever came of it.
 */
export function tcp(
  { source, sourcePort, target, targetPort }: Ends,
  sequence: number,
  {
    isReset = false,
    isAnswer = false,
    payload = 0,
    hops = ttl,
  }: {
    readonly isReset?: boolean;
    readonly isAnswer?: boolean;
    readonly payload?: number;
    readonly hops?: number;
  } = {},
): Buffer {
  const segment = Buffer.alloc(20 + payload);
  segment.writeUInt16BE(sourcePort, 0);
  segment.writeUInt16BE(targetPort, 2);
  segment.writeUInt32BE((sequence + (isReset ? 1 : 0)) >>> 0, 4);
  segment.writeUInt8(5 << 4, 12);
  segment.writeUInt8(isReset ? flag.rst : flag.syn | (isAnswer ? flag.ack : 0), 13);
  segment.writeUInt16BE(window, 14);
  segment.writeUInt16BE(checksum(Buffer.concat([pseudoHeader(source, target, protocol.tcp, segment), segment])), 16);
  return ip(source, target, protocol.tcp, segment, hops);
}

/** As the director wraps what it sends by this kind of tunnel. */
export function wrapped(
  { type, port }: TunnelEnd,
  from: readonly number[],
  to: readonly number[],
  packet: Buffer,
): Buffer {
  const inner = isSix(packet) ? protocol.ipv6 : protocol.ipip;
  switch (type) {
    case 'ipip':
      return ip(from, to, inner, packet);
    case 'gre': {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(isSix(packet) ? etherType.ipv6 : etherType.ipv4, 2);
      return ip(from, to, protocol.gre, Buffer.concat([head, packet]));
    }
    case 'gue': {
      const head = Buffer.alloc(12);
      head.writeUInt16BE(61_000, 0);
      head.writeUInt16BE(port, 2);
      head.writeUInt16BE(head.length + packet.length, 4);
      head.writeUInt8(inner, 9);
      return ip(from, to, protocol.udp, Buffer.concat([head, packet]));
    }
  }
}

const uoaKind = 31;

/** An empty datagram that tells, as `--uoa opp` does, that its sender is the client: bpf/toa.h. */
export function toldDatagram(source: readonly number[], target: readonly number[], port: number): Buffer {
  const datagram = Buffer.alloc(8);
  datagram.writeUInt16BE(61_000, 0);
  datagram.writeUInt16BE(port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  const sum = checksum(Buffer.concat([pseudoHeader(source, target, protocol.udp, datagram), datagram]));
  datagram.writeUInt16BE(sum || 0xffff, 6);
  const option = Buffer.from([uoaKind, 4 + source.length, 61_000 >> 8, 61_000 & 255, ...source]);
  const header = Buffer.from([familyOf(source) === 4 ? 0x10 : 0x20, protocol.udp, 0, 4 + option.length]);
  return ip(source, target, protocol.uoa, Buffer.concat([header, option, datagram]));
}

const sizeOfEcho = 8;

/** Of an echo request without data. */
export function leastEcho(target: readonly number[]): number {
  return sizeOfIp[familyOf(target)] + sizeOfEcho;
}

/** An echo request of so many bytes, header and all, that no router may cut. */
export function echo(source: readonly number[], target: readonly number[], id: number, size: number): Buffer {
  const family = familyOf(target);
  const message = Buffer.alloc(Math.max(size - sizeOfIp[family], sizeOfEcho));
  message.writeUInt8(family === 4 ? 8 : 128, 0);
  message.writeUInt16BE(id, 4);
  message.writeUInt16BE(size, 6);
  const number = family === 4 ? protocol.icmp : protocol.icmp6;
  const pseudo = family === 4 ? Buffer.alloc(0) : pseudoHeader(source, target, number, message);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2);
  return ip(source, target, number, message);
}

export type Answer =
  | { readonly kind: 'tcp'; readonly ends: Ends; readonly isReset: boolean; readonly mac: string }
  | { readonly kind: 'echo'; readonly source: readonly number[]; readonly id: number; readonly size: number }
  | IcmpError;

export interface IcmpError {
  readonly kind: 'unreachable' | 'prohibited' | 'too-big' | 'expired';
  readonly source: readonly number[];
  /** Of the packet that could not be delivered, this and the rest. */
  readonly target: readonly number[];
  readonly protocol: number;
  /** Of TCP and UDP. */
  readonly port: number;
  readonly sourcePort: number;
}

export function readAnswer(frame: Buffer): Answer | undefined {
  const packet = readIp(frame);
  if (packet === undefined) return undefined;
  const { source, target, number, body } = packet;
  switch (number) {
    case protocol.tcp: {
      if (body.length < 20) return undefined;
      const [sourcePort, targetPort] = [body.readUInt16BE(0), body.readUInt16BE(2)];
      const flags = body.readUInt8(13);
      // To a SYN: also an ACK, where a connection of that port is open still (RFC 5961, section 4).
      if ((flags & (flag.rst | flag.ack)) === 0) return undefined;
      const isReset = (flags & flag.rst) !== 0;
      const mac = formatMac(frame.subarray(6, 12));
      return { kind: 'tcp', ends: { source, sourcePort, target, targetPort }, isReset, mac };
    }
    case protocol.icmp:
    case protocol.icmp6:
      return readIcmp(source, body);
    default:
      return undefined;
  }
}

interface IpPacket {
  readonly source: readonly number[];
  readonly target: readonly number[];
  readonly number: number;
  readonly body: Buffer;
}

/** Without extension headers: answers have none. */
function readIp(frame: Buffer): IpPacket | undefined {
  if (frame.length < sizeOfEthernet + sizeOfIp[4]) return undefined;
  const packet = frame.subarray(sizeOfEthernet);
  const addresses = (at: number, size: number): Pick<IpPacket, 'source' | 'target'> => ({
    source: [...packet.subarray(at, at + size)],
    target: [...packet.subarray(at + size, at + 2 * size)],
  });
  switch (frame.readUInt16BE(12)) {
    case etherType.ipv4: {
      const body = packet.subarray((packet.readUInt8(0) & 15) * 4);
      return { ...addresses(12, 4), number: packet.readUInt8(9), body };
    }
    case etherType.ipv6:
      if (packet.length < sizeOfIp[6]) return undefined;
      return { ...addresses(8, 16), number: packet.readUInt8(6), body: packet.subarray(sizeOfIp[6]) };
    default:
      return undefined;
  }
}

function readIcmp(source: readonly number[], message: Buffer): Answer | undefined {
  const family = familyOf(source);
  if (message.length < sizeOfEcho) return undefined;
  const [type, code] = [message.readUInt8(0), message.readUInt8(1)];
  if (type === (family === 4 ? 0 : 129))
    return { kind: 'echo', source, id: message.readUInt16BE(4), size: message.readUInt16BE(6) };
  const quoted = message.subarray(sizeOfEcho);
  const kind = family === 4 ? errorFour(type, code) : errorSix(type, code);
  if (kind === undefined || quoted.length < sizeOfIp[family]) return undefined;
  return { kind, source, ...readQuoted(quoted, family) };
}

/** The packet that an error is about: whom it was for, and by which protocol and port. */
function readQuoted(quoted: Buffer, family: 4 | 6): Omit<IcmpError, 'kind' | 'source'> {
  const target = [...(family === 4 ? quoted.subarray(16, 20) : quoted.subarray(24, 40))];
  const transport = quoted.subarray(family === 4 ? (quoted.readUInt8(0) & 15) * 4 : sizeOfIp[6]);
  const [sourcePort, port] = transport.length < 4 ? [0, 0] : [transport.readUInt16BE(0), transport.readUInt16BE(2)];
  return { target, protocol: quoted.readUInt8(family === 4 ? 9 : 6), port, sourcePort };
}

/** RFC 792 and RFC 1812: 2 and 3 say that nobody there has a use for the packet, others that it was not let through. */
function errorFour(type: number, code: number): IcmpError['kind'] | undefined {
  if (type === 11) return 'expired';
  if (type !== 3) return undefined;
  if (code === 4) return 'too-big';
  return code === 2 || code === 3 ? 'unreachable' : 'prohibited';
}

/** RFC 4443. What has no use for a tunnel says "parameter problem". */
function errorSix(type: number, code: number): IcmpError['kind'] | undefined {
  if (type === 2) return 'too-big';
  if (type === 3) return 'expired';
  if (type === 4) return code === 1 ? 'unreachable' : undefined;
  if (type !== 1) return undefined;
  return code === 4 ? 'unreachable' : 'prohibited';
}

/** Of what is in a tunnel of this kind, as the header in front of it names it. */
export function protocolOf({ type }: TunnelEnd, isOfSix: boolean): number {
  if (type === 'gre') return protocol.gre;
  if (type === 'gue') return protocol.udp;
  return isOfSix ? protocol.ipv6 : protocol.ipip;
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function parseMac(text: string): readonly number[] {
  return text.split(':').map((byte) => Number.parseInt(byte, 16));
}

function familyOf(address: readonly number[]): 4 | 6 {
  return address.length === 4 ? 4 : 6;
}

function isSix(packet: Buffer): boolean {
  return packet.readUInt8(0) >> 4 === 6;
}

export function ip(
  source: readonly number[],
  target: readonly number[],
  number: number,
  payload: Buffer,
  hops = ttl,
): Buffer {
  if (familyOf(target) === 6) {
    const header = Buffer.alloc(8);
    header.writeUInt8(0x60, 0);
    header.writeUInt16BE(payload.length, 4);
    header.writeUInt8(number, 6);
    header.writeUInt8(hops, 7);
    return Buffer.concat([header, Buffer.from([...source, ...target]), payload]);
  }
  const header = Buffer.alloc(sizeOfIp[4]);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(sizeOfIp[4] + payload.length, 2);
  header.writeUInt16BE(0x4000, 6); // DF
  header.writeUInt8(hops, 8);
  header.writeUInt8(number, 9);
  header.set(source, 12);
  header.set(target, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** RFC 9293, section 3.1, and RFC 8200, section 8.1. */
export function pseudoHeader(
  source: readonly number[],
  target: readonly number[],
  number: number,
  body: Buffer,
): Buffer {
  const [high, low] = [body.length >> 8, body.length & 255];
  const tail = familyOf(target) === 4 ? [0, number, high, low] : [0, 0, high, low, 0, 0, 0, number];
  return Buffer.from([...source, ...target, ...tail]);
}

/** RFC 1071. */
export function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : (bytes[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
