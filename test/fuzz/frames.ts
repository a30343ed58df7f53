// Frames of every kind that the programs look at, and what may become of their bytes on the way.
import {
  build,
  buildIcmpError,
  buildIp,
  type Description,
  type Extension,
  extension,
  flag,
  fragment,
  protocol,
} from '../packets.ts';
import type { Random } from '../random.ts';
import {
  type Family,
  families,
  ftp,
  ftpServer,
  guePort,
  ike,
  ports,
  realPort,
  sip,
  special,
  tunnelPort,
  tunnels,
} from './scene.ts';

const elsewhere = { 4: '192.0.2.200', 6: '2001:db8:b::200' } as const;
const servicePorts = [
  ...[...Object.values(ports), ...Object.values(ports)],
  ...Object.values(special),
  ...tunnels.map((_, index) => tunnelPort + index),
  ...[ike, 79, ftp, ftp, sip],
];
const { syn, ack, fin, rst, psh } = flag;

/** A frame as somebody may have sent it; one in two is then damaged. */
export function makeFrame(random: Random): Buffer {
  const frame = makeWhole(random);
  return random.once(2) ? damage(random, frame) : frame;
}

function makeWhole(random: Random): Buffer {
  const family: Family = random.once(2) ? 4 : 6;
  const kind = random.below(20);
  const ends = endsOf(random, family);
  if (kind < 12) return build(describe(random, family, ends));
  if (kind < 14) {
    const whole = build({ ...describe(random, family, ends), tags: [], extensions: [] });
    return random.pick([whole, ...fragment(whole, 576 + random.below(200), random.below(4))]);
  }
  if (kind < 16) return aboutAnother(random, family);
  if (kind < 17) return aboutTunnel(random, family);
  if (kind < 18) return random.bytes(14 + random.below(120));
  const inside = buildIp(describe(random, random.once(2) ? 4 : 6, endsOf(random, 4)));
  return build({
    ...ends,
    protocol: inside[0] === 0x45 ? protocol.ipip : protocol.ipv6,
    body: inside,
    ...outside(random, family),
  });
}

type Ends = Pick<Description, 'source' | 'destination' | 'sourcePort' | 'destinationPort'>;

/** Few of each, so that they meet. */
function endsOf(random: Random, family: Family): Ends {
  const { vip, rip, client, local, anyPort, marked } = families[family];
  const other = elsewhere[family];
  const clientPort = 4000 + random.below(8);
  if (random.once(4)) {
    const target = random.pick([client, client, local, other]);
    return {
      source: rip(1 + random.below(4)),
      destination: target,
      sourcePort: random.pick([realPort, realPort, ike, 80, ftpServer]),
      destinationPort: clientPort,
    };
  }
  const port = random.pick(servicePorts);
  return {
    source: random.once(8) ? other : client,
    destination: random.pick(random.once(12) ? [other, rip(1)] : [vip, vip, vip, vip, anyPort, marked]),
    sourcePort: port === ike ? ike : clientPort,
    destinationPort: port,
  };
}

function outside(random: Random, family: Family): Partial<Description> {
  return {
    tags: random.once(6) ? random.pick([[7], [7, 9], [7, 9, 11]]) : [],
    ttl: random.once(6) ? random.pick([2, 1, 0]) : 64,
    tos: random.below(256),
    id: random.below(8),
    dontFragment: random.once(2),
    padding: random.once(6) ? random.below(12) : 0,
    options: family === 4 && random.once(6) ? ipOptions(random) : Buffer.alloc(0),
    extensions: family === 6 && random.once(4) ? sixHeaders(random) : [],
  };
}

function describe(random: Random, family: Family, ends: Ends): Description {
  const base = { ...ends, ...outside(random, family), payload: payloadOf(random, family, ends) };
  const kind = random.below(20);
  if (kind < 10) return { ...base, flags: random.pick([syn, syn, ack, ack | psh, fin | ack, rst, syn | ack, 0, 0xff]) };
  if (kind < 15) return { ...base, withoutChecksum: family === 4 && random.once(6) };
  if (kind < 19) return { ...base, payload: Buffer.alloc(0), chunks: chunks(random) };
  return {
    ...base,
    protocol: random.pick([protocol.esp, protocol.ah, 47, 59, 255]),
    body: random.bytes(random.below(60)),
  };
}

function payloadOf(random: Random, family: Family, { sourcePort, destinationPort }: Ends): Buffer {
  if (sourcePort === ftpServer) return random.pick(said(random, family));
  if (destinationPort === ftp) return random.pick(asked(random, family));
  if (destinationPort === sip && !random.once(4)) return call(random);
  return random.bytes(random.pick([0, 1, 2, 7, 40, 100, 559, 1200, 1380, 1452, 1460]));
}

/** By an FTP server. */
function said(random: Random, family: Family): readonly Buffer[] {
  const [high, low] = [random.below(256), random.below(256)];
  const address = families[family].rip(2);
  const lines = [
    `227 Entering Passive Mode (${(family === 4 ? address : '192.0.2.12').replaceAll('.', ',')},${high},${low}).`,
    `229 Entering Extended Passive Mode (|||${high * 256 + low}|)`,
    `229 (|${family === 4 ? 1 : 2}|${address}|${high * 256 + low}|)`,
    '226 Transfer complete.',
  ];
  return [Buffer.alloc(0), ...lines.map((line) => Buffer.from(`${line}\r\n`))];
}

/** By an FTP client. */
function asked(random: Random, family: Family): readonly Buffer[] {
  const [high, low] = [random.below(256), random.below(256)];
  const { client } = families[family];
  const lines = [
    `PORT ${(family === 4 ? client : '203.0.113.5').replaceAll('.', ',')},${high},${low}`,
    `EPRT |${family === 4 ? 1 : 2}|${client}|${high * 256 + low}|`,
    'LIST',
  ];
  return [Buffer.alloc(0), ...lines.map((line) => Buffer.from(`${line}\r\n`))];
}

function call(random: Random): Buffer {
  const name = random.pick(['Call-ID', 'i', 'call-id', 'Call-Id']);
  const id = random.pick(['', 'a', 'b@example.org', 'x'.repeat(random.below(300))]);
  const start = random.pick(['INVITE sip:a@example.org SIP/2.0', 'SIP/2.0 200 OK', 'ACK']);
  return Buffer.from(`${start}\r\nVia: SIP/2.0/UDP h\r\n${name}:${random.maybe(2, () => ' ')}${id}\r\n\r\n`);
}

function chunks(random: Random): NonNullable<Description['chunks']> {
  return Array.from({ length: 1 + random.below(4) }, () => ({
    type: random.below(16),
    value: random.bytes(random.below(24)),
    ...(random.once(8) ? { length: random.below(0x10000) } : {}),
  }));
}

function ipOptions(random: Random): Buffer {
  const known = [
    '01010101',
    '94040000',
    '0707040000000000',
    '440c0500000000000000000000',
    '830704c0000201',
    '8907040a000001',
    '94030000',
    '0707080000000000',
    '440805010a000000',
    '440c0501000000000000000000',
    '8203',
    '00',
  ];
  const bytes = Buffer.from(random.pick(known), 'hex');
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

function sixHeaders(random: Random): Extension[] {
  return Array.from({ length: 1 + random.below(7) }, () => ({
    type: random.pick([extension.hopByHop, extension.destination, extension.destination, extension.routing]),
    body: random.pick([sixOptions(6), sixOptions(14), random.bytes(6), Buffer.from('000000000000', 'hex')]),
  }));
}

/** Padding. */
function sixOptions(size: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(size - 2, 1);
  return bytes;
}

/** ICMP, an error about another packet or not. */
function aboutAnother(random: Random, family: Family): Buffer {
  const { rip, client, vip } = families[family];
  const about = describe(random, family, endsOf(random, family));
  const turned = random.once(2) ? { source: about.destination, destination: about.source } : {};
  const quoted = buildIp({ ...about, ...turned, sourcePort: random.pick([realPort, 4000 + random.below(8)]) });
  const ends = {
    source: random.pick([about.destination, rip(1), client, vip]),
    destination: random.pick([about.source, about.source, vip, client]),
  };
  const type = random.pick(family === 4 ? [3, 3, 3, 11, 4, 5, 0, 8, 12] : [1, 2, 3, 4, 128, 129, 135, 0]);
  const cut = random.pick([quoted.length, quoted.length, 28, 48, random.below(quoted.length + 1)]);
  const body = buildIcmpError({
    ...ends,
    type,
    code: random.below(6),
    mtu: random.pick([0, 68, 576, 1280, 1400, 65535]),
    quoted: quoted.subarray(0, cut),
  });
  return build({ ...ends, ...outside(random, family), protocol: family === 4 ? protocol.icmp : protocol.icmp6, body });
}

/** What a router on a tunnel's way tells the director. */
function aboutTunnel(random: Random, family: Family): Buffer {
  const { rip, dip, client } = families[family];
  const inner = random.pick([family, family, 4, 6] as const);
  const ends = { source: dip, destination: rip(random.pick([1, 3, 4, 9])) };
  const inside = buildIp(describe(random, inner, endsOf(random, inner)));
  const quoted = buildIp({ ...ends, ...random.pick(wrappings)(inner, inside), id: random.below(8) });
  const cut = random.pick([quoted.length, quoted.length, 28, 48, 56, 96, random.below(quoted.length + 1)]);
  const way = { source: random.pick([client, elsewhere[family]]), destination: dip };
  const body = buildIcmpError({
    ...way,
    type: random.pick(family === 4 ? [3, 3, 3, 11] : [1, 2, 2, 3]),
    code: random.pick([0, 1, 3, 4, 4]),
    mtu: random.pick([0, 68, 576, 1280, 1400, 65535]),
    quoted: quoted.subarray(0, cut),
  });
  return build({ ...way, ...outside(random, family), protocol: family === 4 ? protocol.icmp : protocol.icmp6, body });
}

type Wrapping = (
  inner: Family,
  inside: Buffer,
) => Pick<Description, 'protocol' | 'body' | 'sourcePort' | 'destinationPort'>;

const wrappings: readonly Wrapping[] = [
  (inner, inside) => ({ protocol: protocolOf(inner), body: inside }),
  (inner, inside) => ({ protocol: 47, body: Buffer.concat([Buffer.from([0, 0, ...typeOf(inner)]), inside]) }),
  (inner, inside) => ({
    protocol: 47,
    body: Buffer.concat([Buffer.from([0x80, 0, ...typeOf(inner), 0, 0, 0, 0]), inside]),
  }),
  (inner, inside) => {
    const header = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, protocolOf(inner), 0, 0]);
    header.writeUInt16BE(guePort, 2);
    header.writeUInt16BE(header.length + inside.length, 4);
    return { protocol: 17, body: Buffer.concat([header, inside]) };
  },
];

function protocolOf(inner: Family): number {
  return inner === 4 ? protocol.ipip : protocol.ipv6;
}

function typeOf(inner: Family): readonly number[] {
  return inner === 4 ? [0x08, 0x00] : [0x86, 0xdd];
}

/** What lies there is often one of these. */
const telling = [
  0, 1, 4, 5, 6, 8, 15, 17, 20, 28, 40, 41, 43, 44, 58, 60, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0x81, 132, 0xff,
];

function damage(random: Random, whole: Buffer): Buffer {
  let frame: Buffer = Buffer.from(whole);
  for (let times = 1 + random.below(3); times > 0; times--) frame = damageOnce(random, frame);
  return frame.length < 14 ? Buffer.concat([frame, Buffer.alloc(14 - frame.length)]) : frame.subarray(0, 3000);
}

function damageOnce(random: Random, frame: Buffer): Buffer {
  // Mostly in the headers: a payload tells little.
  const at = random.once(4) ? random.below(frame.length) : random.below(Math.min(frame.length, 100));
  switch (random.below(8)) {
    case 0:
      return frame.subarray(0, at);
    case 1:
      return Buffer.concat([frame, random.bytes(random.below(40))]);
    case 2:
      return Buffer.concat([frame.subarray(0, at), random.bytes(1 + random.below(8)), frame.subarray(at)]);
    case 3:
      return Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1 + random.below(8))]);
    case 4:
      frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
      return frame;
    case 5:
      frame[at] = random.below(256);
      return frame;
    case 6:
      frame[at] = random.pick(telling);
      return frame;
    default:
      return lie(random, frame);
  }
}

/** Lengths and kinds, where an ordinary frame has them. */
function lie(random: Random, frame: Buffer): Buffer {
  const at = 14 + random.pick([0, 0, 2, 4, 5, 6, 6, 7, 9, 24, 32, 33, 40, 41, 52]);
  if (at + 2 > frame.length) return frame;
  if (random.once(2)) frame[at] = random.pick(telling);
  else frame.writeUInt16BE((frame.readUInt16BE(at) + random.pick([-20, -8, -1, 1, 8, 20, 0x2000, 0x100])) & 0xffff, at);
  return frame;
}
