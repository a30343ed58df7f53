// The real server's program, packet by packet: what goes in, the verdict, what comes out, and what is counted.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BpfMap } from '../../src/kernel/map.ts';
import { BpfObject } from '../../src/kernel/object.ts';
import type { BpfProgram, TestResult } from '../../src/kernel/program.ts';
import { build, checksumOf, type Description } from '../packets.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

const object = new URL('../../build/bpf/realserver.bpf.o', import.meta.url).pathname;
const verdicts = new Map([
  [0, 'up'],
  [2, 'dropped'],
  [0xffff_ffff, 'untouched'],
]);
/** enum refusal, in its order. */
const reasons = [
  ...[
    'vip-unknown',
    'fragment',
    'truncated',
    'not-ip',
    'to-another-host',
    'congested',
    'adjust-failed',
    'unknown-option',
  ],
];
const vip = [203, 0, 113, 100];
const rip = [192, 0, 2, 12];
/** As test runs see it, the packet comes in by lo, whose MAC this is. */
const ownMac = [0, 0, 0, 0, 0, 0];
const sizeOfEthernet = 14;
const vipSix = [0x20, 0x01, 0xd, 0xb8, 0, 0xa, ...new Array<number>(9).fill(0), 0x10];
const gueArrivesAt = 6080;
/** enum tunnel, and END_PORT. */
const types = { ipip: 0, gue: 1, gre: 2 } as const;
const endPort = 255;

let namespace: TestNamespace;
let program: BpfProgram;
let vips: BpfMap;
let refusals: BpfMap;

beforeAll(() => {
  namespace = testNamespace();
  using loaded = BpfObject.open(object);
  loaded.load();
  program = loaded.program('realserver_tc');
  vips = loaded.map('vips');
  refusals = loaded.map('refusals');
  for (const type of Object.values(types)) {
    for (const address of [vip, vipSix]) addEnd(address, type, type === types.gue ? gueArrivesAt : 0);
  }
  addEnd([], endPort, gueArrivesAt);
});

afterAll(() => {
  for (const one of [program, vips, refusals, namespace]) one[Symbol.dispose]();
});

describe('a packet', () => {
  const inner = ip({ destination: vip, payload: Buffer.from('the inner packet') });
  const ipv6 = Buffer.from([0x60, ...new Array<number>(59).fill(0)]);

  test.each<[string, Buffer, string, string | undefined]>([
    ['for a VIP goes up without its outer header', frame(tunnel(inner)), 'up', undefined],
    ['with options in its outer header as well', frame(tunnel(inner, { words: 15 })), 'up', undefined],
    ['with options in its inner header as well', frame(tunnel(ip({ destination: vip, words: 8 }))), 'up', undefined],
    [
      'padded to the least length of Ethernet as well',
      padded(frame(tunnel(ip({ destination: vip })))),
      'up',
      undefined,
    ],
    [
      'that is itself a fragment inside as well',
      frame(tunnel(ip({ destination: vip, fragment: 0x2000 }))),
      'up',
      undefined,
    ],
    ['for another address stays', frame(tunnel(ip({ destination: [203, 0, 113, 101] }))), 'untouched', 'vip-unknown'],
    [
      'whose outer packet is a first fragment stays',
      frame(tunnel(inner, { fragment: 0x2000 })),
      'untouched',
      'fragment',
    ],
    ['whose outer packet is a later fragment stays', frame(tunnel(inner, { fragment: 5 })), 'untouched', 'fragment'],
    ['that ends within the inner header stays', frame(tunnel(inner.subarray(0, 19))), 'untouched', 'truncated'],
    ['that ends within the inner packet stays', frame(tunnel(inner.subarray(0, 30))), 'untouched', 'truncated'],
    ['with an impossible outer header stays', frame(tunnel(inner, { words: 4 })), 'untouched', 'truncated'],
    ['with IPv6 inside that its protocol does not tell stays', frame(tunnel(ipv6)), 'untouched', 'not-ip'],
    ['for another MAC stays', frame(tunnel(inner), { mac: [2, 0, 0, 0, 0, 9] }), 'untouched', undefined],
    ['that is no tunnel stays', frame(inner), 'untouched', undefined],
    ['of IPv6 that is no tunnel stays', frame(ipv6, { type: 0x86dd }), 'untouched', undefined],
    ['that is no IP stays', frame(ipv6, { type: 0x0806 }), 'untouched', undefined],
  ])('%s', (_, packet, verdict, reason) => {
    const { result, counted } = runOn(packet);
    expect(verdicts.get(result.returnValue)).toBe(verdict);
    expect(counted).toEqual(reason === undefined ? {} : { [reason]: 1 });
    expect(result.packet).toEqual(verdict === 'up' ? decapsulated(packet) : packet);
  });

  test('comes out of its tunnel as it went in, whatever it is', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const packets = fc.record({
      source: bytes(4).map((all) => [...all]),
      words: fc.integer({ min: 5, max: 15 }),
      outerWords: fc.integer({ min: 5, max: 15 }),
      payload: fc.uint8Array({ maxLength: 1400 }),
    });
    fc.assert(
      fc.property(packets, ({ source, words, outerWords, payload }) => {
        const original = ip({ source, destination: vip, words, payload: Buffer.from(payload) });
        const { result } = runOn(frame(tunnel(original, { words: outerWords })));
        expect(verdicts.get(result.returnValue)).toBe('up');
        expect(result.packet).toEqual(frame(original));
      }),
    );
  });
});

const ways = {
  'IPv4 within IPv4': { inner: 4, outer: 4 },
  'IPv6 within IPv6': { inner: 6, outer: 6 },
  'IPv4 within IPv6': { inner: 4, outer: 6 },
  'IPv6 within IPv4': { inner: 6, outer: 4 },
} as const;
const kinds = ['ipip', 'gre', 'gre with checksum', 'gue', 'gue with checksum', 'gue with remote checksum'] as const;
type Kind = (typeof kinds)[number];
interface Case {
  readonly kind: Kind;
  readonly inner: 4 | 6;
  readonly outer: 4 | 6;
}

const cases = kinds.flatMap((kind) => Object.entries(ways).map(([how, way]) => ({ kind, how, ...way })));

describe.each(cases)('by $kind, $how,', (one) => {
  const original = client(one.inner, { payload: Buffer.from('the inner packet') });

  test.each([4, undefined])('a packet goes up as the client sent it, flags %s', (flags) => {
    const { result, counted } = runOn(wrap(original, one), flags);
    expect(verdicts.get(result.returnValue)).toBe('up');
    expect(counted).toEqual({});
    expect(result.packet).toEqual(original);
  });

  test('one of odd length, one of many bytes', () => {
    for (const length of [0, 1, 3, 511, 512, 513, 1400]) {
      const packet = client(one.inner, { payload: Buffer.alloc(length, 'xyz') });
      expect(runOn(wrap(packet, one)).result.packet).toEqual(packet);
    }
  });

  test('one for another address stays', () => {
    const packet = wrap(client(one.inner, { destination: one.inner === 4 ? '203.0.113.101' : '2001:db8:a::11' }), one);
    const { result, counted } = runOn(packet);
    expect(verdicts.get(result.returnValue)).toBe('untouched');
    expect(result.packet).toEqual(packet);
    expect(counted).toEqual({ 'vip-unknown': 1 });
  });

  test('a congestion mark goes on inside', () => {
    const packet = client(one.inner, { tos: 0xba });
    expect(runOn(wrap(packet, one, 0xbb)).result.packet).toEqual(client(one.inner, { tos: 0xbb }));
    expect(runOn(wrap(client(one.inner, { tos: 0xb8 }), one, 0xbb)).counted).toEqual({ congested: 1 });
  });

  test('one that is cut anywhere is left alone or dropped, never changed', () => {
    const whole = wrap(original, one);
    for (let length = sizeOfEthernet + (one.outer === 4 ? 20 : 40); length < whole.length; length++) {
      const { result } = runOn(whole.subarray(0, length));
      expect(verdicts.get(result.returnValue), `${length} bytes`).not.toBe('up');
      if (result.packet.length === length) expect(result.packet).toEqual(whole.subarray(0, length));
    }
  });
});

describe('what a header says that this program does not know', () => {
  const original = client(4, {});
  const changed = (kind: Kind, at: number, bytes: readonly number[]): Buffer => {
    const packet = Buffer.from(wrap(original, { kind, inner: 4, outer: 4 }));
    packet.set(bytes, sizeOfEthernet + 20 + at);
    return packet;
  };
  test.each([
    ['a GRE key', changed('gre', 0, [0x20, 0]), 'unknown-option'],
    ['a GRE version', changed('gre', 0, [0, 1]), 'unknown-option'],
    ['Ethernet in GRE', changed('gre', 2, [0x65, 0x58]), 'not-ip'],
    ['another version of GUE', changed('gue', 8, [0x40]), 'unknown-option'],
    ['a control message of GUE', changed('gue', 8, [0x20]), 'unknown-option'],
    ['words of options in GUE that no flag tells', changed('gue', 8, [0x01]), 'unknown-option'],
    ['another flag of GUE', changed('gue', 10, [0x80]), 'unknown-option'],
    ['another private flag of GUE', changed('gue with remote checksum', 12, [0x40]), 'unknown-option'],
    ['TCP in GUE', changed('gue', 9, [6]), 'not-ip'],
    ['a checksum outside of the packet', changed('gue with remote checksum', 18, [0, 200]), 'truncated'],
    ['a checksum in front of what it is of', changed('gue with remote checksum', 18, [0, 3]), 'truncated'],
    ['another UDP port', changed('gue', 2, [0, 53]), undefined],
  ])('%s', (_, packet, reason) => {
    const { result, counted } = runOn(packet);
    expect(verdicts.get(result.returnValue)).toBe('untouched');
    expect(result.packet).toEqual(packet);
    expect(counted).toEqual(reason === undefined ? {} : { [reason]: 1 });
  });

  test('a tunnel that was not added for the VIP', () => {
    const key = endKey(vip, types.gre, 0);
    vips.delete(key);
    const { counted } = runOn(wrap(original, { kind: 'gre', inner: 4, outer: 4 }));
    vips.update(key, Buffer.alloc(vips.valueBytes));
    expect(counted).toEqual({ 'vip-unknown': 1 });
  });
});

describe('a router that marked the tunnel as congested (RFC 6040)', () => {
  const [notCapable, capable0, capable1, congested] = [0, 2, 1, 3];
  test.each([
    ['is heard by a sender that can hear it', congested, capable0, 'up', congested],
    ['is heard through the other code as well', congested, capable1, 'up', congested],
    ['changes nothing in a packet that was marked before', congested, congested, 'up', congested],
    ['makes a packet lost whose sender would not hear it', congested, notCapable, 'dropped', notCapable],
    ['is none where only capability is told', capable0, notCapable, 'up', notCapable],
  ])('%s', (_, outerTos, innerTos, verdict, expected) => {
    const traffic = 0xb8;
    const packet = frame(tunnel(ip({ destination: vip, tos: traffic | innerTos }), { tos: outerTos }));
    const { result, counted } = runOn(packet);
    expect(verdicts.get(result.returnValue)).toBe(verdict);
    expect(counted).toEqual(verdict === 'dropped' ? { congested: 1 } : {});
    if (verdict === 'up') expect(result.packet).toEqual(frame(ip({ destination: vip, tos: traffic | expected })));
  });
});

test('a router lets tunnels pass that end elsewhere, and takes those that end at it', () => {
  const packet = frame(tunnel(ip({ destination: vip })));
  namespace.ip('link', 'set', 'lo', 'up');
  namespace.ip('addr', 'add', '192.0.2.1/24', 'dev', 'v0');
  for (const link of ['v0', 'v1']) namespace.ip('link', 'set', link, 'up');
  const isForwarding = (value: 0 | 1): void => {
    namespace.output('sh', '-c', `echo ${value} > /proc/sys/net/ipv4/conf/lo/forwarding`);
  };
  const verdict = (): string | undefined => verdicts.get(namespace.run(() => runOn(packet)).result.returnValue);
  expect(verdict()).toBe('up');
  isForwarding(1);
  expect(verdict()).toBe('untouched');
  expect(namespace.run(() => runOn(packet)).counted).toEqual({ 'to-another-host': 1 });
  namespace.ip('addr', 'add', `${rip.join('.')}/24`, 'dev', 'v0');
  expect(verdict()).toBe('up');
  namespace.ip('addr', 'del', `${rip.join('.')}/24`, 'dev', 'v0');
  isForwarding(0);
  expect(verdict()).toBe('up');
});

test('what came for a VIP is counted by inner packets and bytes', () => {
  const original = ip({ destination: vip, payload: Buffer.alloc(100) });
  const before = taken();
  for (let packet = 0; packet < 3; packet++) runOn(frame(tunnel(original)));
  const after = taken();
  expect([after.packets - before.packets, after.bytes - before.bytes]).toEqual([3n, 3n * BigInt(original.length)]);
});

function runOn(packet: Buffer, flags?: number): { result: TestResult; counted: Record<string, number> } {
  const before = counts();
  const result = program.testRun({ packet, ...(flags === undefined ? {} : { flags }) });
  const after = counts();
  const counted = reasons.map((name, index) => [name, (after[index] ?? 0) - (before[index] ?? 0)] as const);
  return { result, counted: Object.fromEntries(counted.filter(([, count]) => count !== 0)) };
}

function counts(): readonly number[] {
  return reasons.map((_, index) => {
    const values = refusals.lookup(Buffer.from(Uint32Array.of(index).buffer)) ?? Buffer.alloc(0);
    return sums(values, 8).map(Number)[0] ?? 0;
  });
}

function taken(): { packets: bigint; bytes: bigint } {
  const values = vips.lookup(endKey(vip, types.ipip, 0)) ?? Buffer.alloc(0);
  const [packets = 0n, bytes = 0n] = sums(values, 16);
  return { packets, bytes };
}

/** Over all CPUs, word by word. */
function sums(values: Buffer, stride: number): bigint[] {
  const totals = new Array<bigint>(stride / 8).fill(0n);
  for (let at = 0; at < values.length; at += 8)
    totals[(at % stride) / 8] = (totals[(at % stride) / 8] ?? 0n) + values.readBigUInt64LE(at);
  return totals;
}

/** struct tunnel_end. */
function endKey(address: readonly number[], type: number, port: number): Buffer {
  const key = Buffer.alloc(24);
  key.set(address);
  key.writeUInt32LE(type, 16);
  key.writeUInt16BE(port, 20);
  return key;
}

function addEnd(address: readonly number[], type: number, port: number): void {
  vips.update(endKey(address, type, port), Buffer.alloc(vips.valueBytes));
}

/** A client's datagram to the VIP, as a frame. */
function client(family: 4 | 6, change: Partial<Description>): Buffer {
  const ends =
    family === 4
      ? { source: '198.51.100.10', destination: vip.join('.') }
      : { source: '2001:db8:c::5', destination: '2001:db8:a::10' };
  return build({ ...ends, ...facts, sourcePort: 4001, destinationPort: 53, ...change });
}

const facts = { sourceMac: '02:00:00:00:00:01', destinationMac: '00:00:00:00:00:00' };

/** As a director sends it. Remote checksums are of packets whose own is not made yet: the pseudo header's sum stands in its place. */
function wrap(original: Buffer, { kind, inner, outer }: Case, tos = 0): Buffer {
  const packet = Buffer.from(original.subarray(sizeOfEthernet));
  const options: number[] = [];
  if (kind === 'gue with remote checksum') {
    const start = inner === 4 ? 20 : 40;
    packet.writeUInt16BE(0, start + 6);
    const unsummed = ~checksumOf(packet.subarray(start)) & 0xffff;
    // What makes the whole sum right is what the kernel would have put there.
    packet.writeUInt16BE(pseudoSum(original, start, unsummed), start + 6);
    options.push(0x80, 0, 0, 0, 0, start, 0, start + 6);
  }
  const ends =
    outer === 4
      ? { source: '203.0.113.10', destination: rip.join('.') }
      : { source: '2001:db8:b::1', destination: '2001:db8:b::12' };
  const common = { ...ends, ...facts, tos };
  if (kind === 'ipip') return build({ ...common, protocol: inner === 4 ? 4 : 41, body: packet });
  if (kind.startsWith('gre')) {
    const sum = kind === 'gre' ? [] : [0, 0, 0, 0];
    const type = inner === 4 ? [0x08, 0] : [0x86, 0xdd];
    const body = Buffer.concat([Buffer.from([sum.length === 0 ? 0 : 0x80, 0, ...type, ...sum]), packet]);
    if (sum.length > 0) body.writeUInt16BE(checksumOf(body), 4);
    return build({ ...common, protocol: 47, body });
  }
  const gue = [options.length / 4, inner === 4 ? 4 : 41, 0, options.length === 0 ? 0 : 1, ...options];
  const payload = Buffer.concat([Buffer.from(gue), packet]);
  return build({
    ...common,
    sourcePort: 40000,
    destinationPort: gueArrivesAt,
    withoutChecksum: kind === 'gue',
    payload,
  });
}

/** What stands in a checksum's place while a device is to make it, told from what the device would make. */
function pseudoSum(original: Buffer, start: number, unsummed: number): number {
  const wanted = ~original.readUInt16BE(sizeOfEthernet + start + 6) & 0xffff;
  const difference = wanted - unsummed;
  return difference < 0 ? difference + 0xffff : difference;
}

interface Header {
  readonly source?: readonly number[];
  readonly destination: readonly number[];
  /** Of the header, 4 bytes each. */
  readonly words?: number;
  readonly tos?: number;
  readonly fragment?: number;
  readonly protocol?: number;
  readonly payload?: Buffer;
}

function ip({
  source = [198, 51, 100, 10],
  destination,
  words = 5,
  tos = 0,
  fragment = 0,
  protocol = 17,
  payload = Buffer.alloc(0),
}: Header): Buffer {
  const header = Buffer.alloc(Math.max(words, 5) * 4, 1);
  header.fill(0, 0, 20);
  header.writeUInt8(0x40 | words, 0);
  header.writeUInt8(tos, 1);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(fragment, 6);
  header.set([64, protocol], 8);
  header.set(source, 12);
  header.set(destination, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function tunnel(inner: Buffer, outer: Partial<Header> = {}): Buffer {
  return ip({ source: [203, 0, 113, 10], destination: rip, protocol: 4, ...outer, payload: inner });
}

function frame(packet: Buffer, { mac = ownMac, type = 0x0800 } = {}): Buffer {
  return Buffer.concat([Buffer.from([...mac, 2, 0, 0, 0, 0, 1, type >> 8, type & 0xff]), packet]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(Math.max(0, 60 - bytes.length))]);
}

function decapsulated(bytes: Buffer): Buffer {
  const header = (bytes.readUInt8(sizeOfEthernet) & 0xf) * 4;
  return Buffer.concat([bytes.subarray(0, sizeOfEthernet), bytes.subarray(sizeOfEthernet + header)]);
}
