// Decodes a captured Ethernet frame as far as the laboratory's claims need it: ARP, IPv4, IP in IP, TCP, UDP, ICMP.
export interface Frame {
  readonly source: string;
  readonly destination: string;
  readonly body: Arp | Ip | undefined;
}

export interface Arp {
  readonly kind: 'arp';
  readonly operation: 'request' | 'reply';
  readonly senderMac: string;
  readonly sender: string;
  readonly target: string;
}

export interface Ip {
  readonly kind: 'ip';
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly protocol: number;
  /** The header's own bytes. */
  readonly header: Buffer;
  readonly body: Ip | Tcp | Udp | Icmp | undefined;
}

export interface Tcp {
  readonly kind: 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: TcpFlags;
  readonly header: Buffer;
  readonly payload: Buffer;
}

export interface TcpFlags {
  readonly fin: boolean;
  readonly syn: boolean;
  readonly rst: boolean;
  readonly psh: boolean;
  readonly ack: boolean;
}

export interface Udp {
  readonly kind: 'udp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Buffer;
}

export interface Icmp {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
}

const etherTypeIpv4 = 0x0800;
const etherTypeArp = 0x0806;
const protocols = { icmp: 1, ipip: 4, tcp: 6, udp: 17 } as const;

/** undefined: not a whole Ethernet header. A body that is cut short or of another kind is undefined as well. */
export function decodeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 14) return undefined;
  const addresses = { destination: formatMac(bytes, 0), source: formatMac(bytes, 6) };
  const type = bytes.readUInt16BE(12);
  const rest = bytes.subarray(14);
  if (type === etherTypeArp) return { ...addresses, body: decodeArp(rest) };
  if (type === etherTypeIpv4) return { ...addresses, body: decodeIp(rest) };
  return { ...addresses, body: undefined };
}

/** What a tunnel carries, or the packet itself. */
export function innermost(ip: Ip): Ip {
  return ip.body?.kind === 'ip' ? innermost(ip.body) : ip;
}

/** The payload of the innermost TCP or UDP. */
export function payloadOf(ip: Ip): Buffer | undefined {
  const { body } = innermost(ip);
  return body?.kind === 'tcp' || body?.kind === 'udp' ? body.payload : undefined;
}

function decodeArp(bytes: Buffer): Arp | undefined {
  if (bytes.length < 28) return undefined;
  return {
    kind: 'arp',
    operation: bytes.readUInt16BE(6) === 1 ? 'request' : 'reply',
    senderMac: formatMac(bytes, 8),
    sender: formatIpv4(bytes, 14),
    target: formatIpv4(bytes, 24),
  };
}

function decodeIp(bytes: Buffer): Ip | undefined {
  if (bytes.length < 20) return undefined;
  const headerLength = (bytes.readUInt8(0) & 0xf) * 4;
  if (headerLength < 20 || bytes.length < headerLength) return undefined;
  const protocol = bytes.readUInt8(9);
  // A short frame is padded: what follows the packet is not its own.
  const content = bytes.subarray(headerLength, Math.max(headerLength, bytes.readUInt16BE(2)));
  return {
    kind: 'ip',
    source: formatIpv4(bytes, 12),
    destination: formatIpv4(bytes, 16),
    ttl: bytes.readUInt8(8),
    protocol,
    header: bytes.subarray(0, headerLength),
    body: decodeContent(protocol, content),
  };
}

function decodeContent(protocol: number, bytes: Buffer): Ip['body'] {
  if (protocol === protocols.ipip) return decodeIp(bytes);
  if (protocol === protocols.tcp) return decodeTcp(bytes);
  if (protocol === protocols.udp) return decodeUdp(bytes);
  if (protocol === protocols.icmp && bytes.length >= 2) {
    return { kind: 'icmp', type: bytes.readUInt8(0), code: bytes.readUInt8(1) };
  }
  return undefined;
}

function decodeTcp(bytes: Buffer): Tcp | undefined {
  if (bytes.length < 20) return undefined;
  const headerLength = (bytes.readUInt8(12) >> 4) * 4;
  const bits = bytes.readUInt8(13);
  return {
    kind: 'tcp',
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    acknowledgement: bytes.readUInt32BE(8),
    flags: {
      fin: (bits & 0x01) !== 0,
      syn: (bits & 0x02) !== 0,
      rst: (bits & 0x04) !== 0,
      psh: (bits & 0x08) !== 0,
      ack: (bits & 0x10) !== 0,
    },
    header: bytes.subarray(0, headerLength),
    payload: bytes.subarray(headerLength),
  };
}

function decodeUdp(bytes: Buffer): Udp | undefined {
  if (bytes.length < 8) return undefined;
  return {
    kind: 'udp',
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    payload: bytes.subarray(8),
  };
}

function formatMac(bytes: Buffer, offset: number): string {
  return [...bytes.subarray(offset, offset + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function formatIpv4(bytes: Buffer, offset: number): string {
  return [...bytes.subarray(offset, offset + 4)].join('.');
}
