// The frames that probes are made of, and what of their answers is looked at: ARP and IPv4.
import type { TunnelEnd } from '../realserver/tunnel.ts';

/** Bytes as on the wire. */
export interface Ends {
  readonly source: readonly number[];
  readonly sourcePort: number;
  readonly target: readonly number[];
  readonly targetPort: number;
}

const etherType = { ipv4: 0x0800, arp: 0x0806 } as const;
const sizeOfEthernet = 14;
const sizeOfIp = 20;
const protocol = { icmp: 1, ipip: 4, tcp: 6, udp: 17, gre: 47 } as const;
const flag = { syn: 0x02, rst: 0x04, ack: 0x10 } as const;
const broadcast = [255, 255, 255, 255, 255, 255];
const ttl = 64;
const window = 1024;

export function arpRequest(mac: readonly number[], source: readonly number[], target: readonly number[]): Buffer {
  const body = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...source, 0, 0, 0, 0, 0, 0, ...target];
  return ethernet(broadcast, mac, etherType.arp, Buffer.from(body));
}

/** Who tells that it has an address. */
export interface ArpReply {
  readonly mac: string;
  readonly address: readonly number[];
}

export function readArpReply(frame: Buffer): ArpReply | undefined {
  if (frame.length < sizeOfEthernet + 28 || frame.readUInt16BE(12) !== etherType.arp) return undefined;
  if (frame.readUInt16BE(sizeOfEthernet + 6) !== 2) return undefined;
  return { mac: formatMac(frame.subarray(22, 28)), address: [...frame.subarray(28, 32)] };
}

export function ethernet(to: readonly number[], from: readonly number[], type: number, body: Buffer): Buffer {
  const head = Buffer.from([...to, ...from, type >> 8, type & 255]);
  return Buffer.concat([head, body]);
}

export function ipFrame(to: readonly number[], from: readonly number[], packet: Buffer): Buffer {
  return ethernet(to, from, etherType.ipv4, packet);
}

/** What opens a connection, and with `isReset` what ends it whatever came of it. */
export function tcp({ source, sourcePort, target, targetPort }: Ends, sequence: number, isReset: boolean): Buffer {
  const segment = Buffer.alloc(20);
  segment.writeUInt16BE(sourcePort, 0);
  segment.writeUInt16BE(targetPort, 2);
  segment.writeUInt32BE((sequence + (isReset ? 1 : 0)) >>> 0, 4);
  segment.writeUInt8(5 << 4, 12);
  segment.writeUInt8(isReset ? flag.rst : flag.syn, 13);
  segment.writeUInt16BE(window, 14);
  const pseudo = Buffer.from([...source, ...target, 0, protocol.tcp, 0, segment.length]);
  segment.writeUInt16BE(checksum(Buffer.concat([pseudo, segment])), 16);
  return ip(source, target, protocol.tcp, segment);
}

/** As the director wraps what it sends by this kind of tunnel. */
export function wrapped(
  { type, port }: TunnelEnd,
  from: readonly number[],
  to: readonly number[],
  packet: Buffer,
): Buffer {
  switch (type) {
    case 'ipip':
      return ip(from, to, protocol.ipip, packet);
    case 'gre':
      return ip(from, to, protocol.gre, Buffer.concat([Buffer.from([0, 0, 8, 0]), packet]));
    case 'gue': {
      const head = Buffer.alloc(12);
      head.writeUInt16BE(61_000, 0);
      head.writeUInt16BE(port, 2);
      head.writeUInt16BE(head.length + packet.length, 4);
      head.writeUInt8(protocol.ipip, 9);
      return ip(from, to, protocol.udp, Buffer.concat([head, packet]));
    }
  }
}

/** An echo request of so many bytes, header and all, that no router may cut. */
export function echo(source: readonly number[], target: readonly number[], id: number, size: number): Buffer {
  const message = Buffer.alloc(Math.max(size - sizeOfIp, 8));
  message.writeUInt8(8, 0);
  message.writeUInt16BE(id, 4);
  message.writeUInt16BE(size, 6);
  message.writeUInt16BE(checksum(message), 2);
  return ip(source, target, protocol.icmp, message);
}

export type Answer =
  | { readonly kind: 'tcp'; readonly ends: Ends; readonly isReset: boolean; readonly mac: string }
  | { readonly kind: 'echo'; readonly source: readonly number[]; readonly id: number; readonly size: number }
  | {
      readonly kind: 'unreachable';
      readonly source: readonly number[];
      readonly code: number;
      /** Of the packet that could not be delivered. */
      readonly target: readonly number[];
    };

export function readAnswer(frame: Buffer): Answer | undefined {
  if (frame.length < sizeOfEthernet + sizeOfIp || frame.readUInt16BE(12) !== etherType.ipv4) return undefined;
  const packet = frame.subarray(sizeOfEthernet);
  const at = (packet.readUInt8(0) & 15) * 4;
  const [source, target] = [[...packet.subarray(12, 16)], [...packet.subarray(16, 20)]];
  if (packet.length < at + 8) return undefined;
  switch (packet.readUInt8(9)) {
    case protocol.tcp: {
      if (packet.length < at + 20) return undefined;
      const [sourcePort, targetPort] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 2)];
      const flags = packet.readUInt8(at + 13);
      if ((flags & (flag.rst | flag.syn)) === 0 || flags === flag.syn) return undefined;
      const isReset = (flags & flag.rst) !== 0;
      const mac = formatMac(frame.subarray(6, 12));
      return { kind: 'tcp', ends: { source, sourcePort, target, targetPort }, isReset, mac };
    }
    case protocol.icmp:
      if (packet.readUInt8(at) === 0)
        return { kind: 'echo', source, id: packet.readUInt16BE(at + 4), size: packet.readUInt16BE(at + 6) };
      if (packet.readUInt8(at) !== 3 || packet.length < at + 28) return undefined;
      return {
        kind: 'unreachable',
        source,
        code: packet.readUInt8(at + 1),
        target: [...packet.subarray(at + 24, at + 28)],
      };
    default:
      return undefined;
  }
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function parseMac(text: string): readonly number[] {
  return text.split(':').map((byte) => Number.parseInt(byte, 16));
}

function ip(source: readonly number[], target: readonly number[], number: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(sizeOfIp);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(sizeOfIp + payload.length, 2);
  header.writeUInt16BE(0x4000, 6); // DF
  header.writeUInt8(ttl, 8);
  header.writeUInt8(number, 9);
  header.set(source, 12);
  header.set(target, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : (bytes[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
