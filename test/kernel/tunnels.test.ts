// GRE and GUE tunnels, with each kind of checksum, within and around both families: byte by byte what IPVS sends.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formatTrace } from '../../src/cli/fairlead/trace.ts';
import { tracePacket } from '../../src/dataplane/trace.ts';
import { parseAddress } from '../../src/model/address.ts';
import type { Tunnel } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, buildIcmpError, checksumErrors, checksumOf, flag, parse } from '../packets.ts';
import * as stages from './stage.ts';

const { openStage, service, six } = stages;
const { syn, ack } = flag;
const four = { vip: stages.vip, client: stages.client, dip: stages.dip, rip: stages.rip };
type Ends = typeof four | typeof six;

const gre = (checksum: Tunnel['checksum']): Tunnel => ({ type: 'gre', port: 0, checksum });
const gue = (checksum: Tunnel['checksum']): Tunnel => ({ type: 'gue', port: 6080, checksum });
/** Each at a port of its own; `header`: bytes between the outer IP header and the packet. */
const tunnels = [
  { name: 'ipip', tunnel: { type: 'ipip', port: 0, checksum: 'none' }, port: 1000, header: 0 },
  { name: 'gre', tunnel: gre('none'), port: 1001, header: 4 },
  { name: 'gre with checksum', tunnel: gre('full'), port: 1002, header: 8 },
  { name: 'gue', tunnel: gue('none'), port: 1003, header: 12 },
  { name: 'gue with checksum', tunnel: gue('full'), port: 1004, header: 12 },
  { name: 'gue with remote checksum', tunnel: gue('remote'), port: 1005, header: 12 },
] as const;
const families = [
  { how: 'IPv4 within IPv4', inner: four, outer: four },
  { how: 'IPv6 within IPv6', inner: six, outer: six },
  { how: 'IPv4 within IPv6', inner: four, outer: six },
  { how: 'IPv6 within IPv4', inner: six, outer: four },
] as const;
/** A port for each tunnel and family of its way. */
const cases = tunnels.flatMap((one) =>
  families.map((family) => ({ ...one, ...family, port: one.port + (isFour(family.outer) ? 0 : 100) })),
);

let stage: stages.Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...cases.flatMap(({ inner, outer, port, tunnel }) =>
      (['tcp', 'udp'] as const).map((name) =>
        service({
          vip: inner.vip,
          protocol: name,
          port,
          destinations: [stages.destination(1, 'tunnel', { rip: parseAddress(outer.rip(1)), port, tunnel })],
        }),
      ),
    ),
  );
  for (const { inner, port } of cases) {
    stage.walk(request(inner, port, { flags: syn }));
    stage.walk(request(inner, port, {}));
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(cases)('$name, $how,', ({ inner, outer, port, tunnel, header }) => {
  describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
    test.each<[string, Change]>([
      ['a SYN', { flags: syn }],
      ['a datagram of odd length', { payload: Buffer.from('odd') }],
      ['a datagram without a checksum', { payload: Buffer.from('none'), withoutChecksum: true }],
      ['a segment of many bytes', { flags: syn, payload: Buffer.alloc(1301, 'x') }],
      ['a packet without DF', { flags: syn, dontFragment: false }],
      ['a packet that met congestion', { flags: syn, tos: 0x2b }],
    ])('%s', (_, change) => {
      const { verdict, packet } = stage[hook](request(inner, port, change));
      expect(verdict).toBe('redirect');
      const aged = request(inner, port, { ...change, ttl: 63 }).subarray(14);
      expect(packet.subarray(14)).toEqual(wrapped(aged, packet, { outer, tunnel, tos: change.tos ?? 0x28 }));
    });

    test('packets amid the connection go the same way, by the same port', () => {
      const first = stage[hook](request(inner, port, { flags: syn }));
      const { verdict, packet } = stage[hook](request(inner, port, { flags: ack }));
      expect(verdict).toBe('redirect');
      if (tunnel.type === 'gue') expect(portsOf(packet, outer)).toEqual(portsOf(first.packet, outer));
      expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 0, violations: [] });
    });
  });

  test('a packet too large is answered with what fits', () => {
    const fits = 1500 - (isFour(outer) ? 20 : 40) - header;
    const make = (length: number): Buffer => {
      const empty = parse(request(inner, port, { flags: syn })).ip.totalLength;
      return request(inner, port, { flags: syn, payload: Buffer.alloc(length - empty, 'x') });
    };
    expect(stage.walk(make(fits)).packet.length).toBe(14 + 1500);
    const { verdict, packet } = stage.walk(make(fits + 1));
    expect(verdict).toBe('redirect');
    expect(checksumErrors(packet)).toEqual([]);
    const icmp = isFour(inner) ? { type: 3, code: 4, mtu: fits } : { type: 2, code: 0, mtu: fits };
    expect(parse(packet).ip).toMatchObject({ source: inner.vip, destination: inner.client, icmp });
    expect(stage.news()).toMatchObject({ 'too-big': 1 });
  });

  test('a packet at its end of life is answered', () => {
    const { packet } = stage.walk(request(inner, port, { flags: syn, ttl: 1 }));
    const icmp = isFour(inner) ? { type: 11, code: 0 } : { type: 3, code: 0 };
    expect(parse(packet).ip).toMatchObject({ source: inner.vip, destination: inner.client, icmp });
  });

  test('sums that a device has made up stay right', () => {
    const complete = 4; // BPF_F_TEST_SKB_CHECKSUM_COMPLETE: the kernel compares them after the run
    for (const change of [{ flags: syn }, { payload: Buffer.from('odd') }]) {
      const { verdict } = stage.tc(request(inner, port, change), { flags: complete });
      expect(verdict).toBe('redirect');
    }
  });

  test('an ICMP error of the client goes to the real server, wrapped', () => {
    stage.tc(request(inner, port, { flags: syn }));
    const reply = build({
      source: inner.vip,
      destination: inner.client,
      sourcePort: port,
      destinationPort: 4001,
      flags: ack,
    });
    const ends = { source: inner.client, destination: inner.vip };
    const error = isFour(inner) ? { type: 3, code: 3 } : { type: 1, code: 4 };
    const body = buildIcmpError({ ...error, quoted: reply.subarray(14), ...ends });
    const message = { ...ends, protocol: isFour(inner) ? 1 : 58, body, dontFragment: true, tos: 0x28 };
    const { verdict, packet } = stage.tc(build(message));
    expect(verdict).toBe('redirect');
    const aged = build({ ...message, ttl: 63 }).subarray(14);
    expect(packet.subarray(14)).toEqual(wrapped(aged, packet, { outer, tunnel, tos: 0x28 }));
    expect(stage.connections()).toMatchObject([{ state: 'SYN_RECV' }]);
  });

  describe('a router on the way', () => {
    const router = isFour(outer) ? '192.0.2.253' : '2001:db8:b::fd';
    const tooBig = isFour(outer) ? { type: 3, code: 4 } : { type: 2, code: 0 };
    const elsewhere = isFour(outer) ? { type: 3, code: 1 } : { type: 1, code: 3 };
    const asked = { payload: Buffer.alloc(1350, 'x') };
    const quotes = isFour(outer) ? 576 - 28 : 1280 - 48;
    const overhead = (isFour(outer) ? 20 : 40) + header;
    const told = (error: { type: number; code: number; mtu?: number }, change: Change): Buffer => {
      const { packet } = stage.walk(request(inner, port, change));
      const ends = { source: router, destination: outer.dip };
      const body = buildIcmpError({ ...error, ...ends, quoted: packet.subarray(14, 14 + quotes) });
      return build({ ...ends, protocol: isFour(outer) ? 1 : 58, body });
    };

    afterEach(forgetPaths);

    test('that tells how much fits is heeded, and the client is told', () => {
      const mtu = 1350;
      const { verdict, packet } = stage.walk(told({ ...tooBig, mtu }, asked));
      expect(verdict).toBe('redirect');
      expect(checksumErrors(packet).filter((error) => !error.endsWith('quoted layer 4'))).toEqual([]);
      const fits = mtu - overhead;
      const icmp = isFour(inner) ? { type: 3, code: 4, mtu: fits } : { type: 2, code: 0, mtu: fits };
      expect(parse(packet).ip).toMatchObject({ source: inner.vip, destination: inner.client, icmp });
      expect(parse(packet).ip.inner).toMatchObject({ source: inner.client, destination: inner.vip, ttl: 63 });
      expect(stage.news()).toEqual({ 'path-mtu': 1 });
      expect(parse(stage.walk(request(inner, port, asked)).packet).ip).toMatchObject({ icmp });
    });

    test('that does not know the way is heard by the client', () => {
      const { packet } = stage.walk(told(elsewhere, { payload: Buffer.from('some') }));
      const icmp = isFour(inner) ? { type: 3, code: 1 } : { type: 1, code: 3 };
      expect(parse(packet).ip).toMatchObject({ source: inner.vip, destination: inner.client, icmp });
      expect(parse(packet).ip.inner).toMatchObject({ payload: Buffer.from('some') });
      expect(stage.news()).toEqual({});
    });

    test('is not believed when the message is damaged, or about another tunnel', () => {
      const frame = told({ ...tooBig, mtu: 1350 }, asked);
      const damaged = Buffer.from(frame);
      damaged.writeUInt8(damaged.readUInt8(300) ^ 1, 300);
      expect(stage.tc(damaged).verdict).toBe('drop');
      const foreign = Buffer.from(frame);
      const target = 14 + (isFour(outer) ? 28 + 19 : 48 + 39);
      foreign.writeUInt8(foreign.readUInt8(target) ^ 1, target);
      expect(stage.tc(foreign).verdict).toBe('pass');
      for (let length = 14 + (isFour(outer) ? 20 : 40); length < 200; length++)
        expect(stage.tc(frame.subarray(0, length)).verdict).not.toBe('redirect');
      expect(stage.news()).toEqual({ malformed: 1 });
    });
  });

  test('a trace tells it', () => {
    const end = (address: string, number: number) => ({ address: parseAddress(address), port: number });
    const question = { protocol: 'tcp', source: end(inner.client, 4001), target: end(inner.vip, port) } as const;
    const text = stage.run(() => formatTrace(question, tracePacket(stage.maps, question), new Map()));
    const port6080 = tunnel.type === 'gue' ? ' port 6080' : '';
    expect(text).toContain(`rewrite      outer ${outer.dip} -> ${outer.rip(1)}, ${tunnel.type}${port6080}`);
    expect(text).toMatch(/verdict +forwarded\n$/);
  });
});

test('connections spread over source ports, all within the range of the host', () => {
  const ports = Array.from({ length: 200 }, (_, index) => {
    const { packet } = stage.tc(request(four, 1003, { flags: syn, sourcePort: 5000 + index }));
    return packet.readUInt16BE(14 + 20);
  });
  expect(new Set(ports).size).toBeGreaterThan(180);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(32768);
  expect(Math.max(...ports)).toBeLessThan(61000);
});

test('another type holds for connections that are open', () => {
  const before = stage.services();
  const changed = (tunnel: Tunnel) =>
    service({ port: 1001, destinations: [stages.destination(1, 'tunnel', { port: 1001, tunnel })] });
  stage.tc(request(four, 1001, { flags: syn }));
  for (const tunnel of [gue('full'), gre('full'), gre('none')]) {
    stage.install(...before.filter(({ identity }) => !isTcp1001(identity)), changed(tunnel));
    stage.settle();
    const { packet } = stage.walk(request(four, 1001, { flags: syn }));
    const aged = request(four, 1001, { flags: syn, ttl: 63 }).subarray(14);
    expect(packet.subarray(14)).toEqual(wrapped(aged, packet, { outer: four, tunnel, tos: 0x28 }));
  }
});

test.each([
  ['gue without a port', { ...gue('none'), port: 0 }, 'tunnel port'],
  ['gre with a port', { ...gre('none'), port: 5 }, 'gre'],
  ['gre with a remote checksum', gre('remote'), 'gre'],
] as const)('%s is refused', (_, tunnel, message) => {
  expect(() =>
    stage.install(service({ port: 99, destinations: [stages.destination(1, 'tunnel', { tunnel })] })),
  ).toThrow(message);
});

interface Change {
  readonly flags?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly sourcePort?: number;
  readonly dontFragment?: boolean;
  readonly withoutChecksum?: boolean;
  readonly payload?: Buffer;
}

/** As if no router had ever told anything. */
function forgetPaths(): void {
  const { maps } = stage;
  const told = maps.map('path_mtus');
  for (const [key] of told.entries()) told.delete(key);
  const destinations = maps.rows('destinations');
  const [oif, mtu] = [destinations.number('next_hop.oif'), destinations.number('next_hop.mtu')];
  for (let slot = 0; slot < destinations.length; slot++) if (oif.get(slot) !== 0) mtu.set(slot, 1500);
}

function request(ends: Ends, port: number, change: Change): Buffer {
  const { client: source, vip: destination } = ends;
  const facts = { source, destination, sourcePort: 4001, destinationPort: port, tos: 0x28, dontFragment: true };
  return build({ ...facts, ...change });
}

function isFour({ vip }: Pick<Ends, 'vip'>): boolean {
  return !vip.includes(':');
}

function isTcp1001(identity: ReturnType<typeof service>['identity']): boolean {
  return identity.kind === 'address' && identity.protocol === 'tcp' && identity.port === 1001;
}

function portsOf(packet: Buffer, outer: Ends): Buffer {
  const at = 14 + (isFour(outer) ? 20 : 40);
  return packet.subarray(at, at + 4);
}

interface Wrapping {
  readonly outer: Ends;
  readonly tunnel: Tunnel;
  readonly tos: number;
}

/** The packet as IPVS wraps it; what it chooses freely, an id and a source port, is taken from what was sent. */
function wrapped(inner: Buffer, sent: Buffer, { outer, tunnel, tos }: Wrapping): Buffer {
  const isInnerFour = inner.readUInt8(0) >> 4 === 4;
  const at = 14 + (isFour(outer) ? 20 : 40);
  const bodies = {
    ipip: () => inner,
    gre: () => greOf(inner, isInnerFour, tunnel),
    gue: () => gueOf(inner, isInnerFour, tunnel, outer, sent.readUInt16BE(at)),
  };
  const dontFragment = isInnerFour && (inner.readUInt16BE(6) & 0x4000) !== 0;
  return build({
    source: outer.dip,
    destination: outer.rip(1),
    ttl: 63,
    tos: (tos & 3) === 3 ? tos - 1 : tos,
    dontFragment,
    id: dontFragment || !isFour(outer) ? 0 : sent.readUInt16BE(14 + 4),
    protocol: { ipip: isInnerFour ? 4 : 41, gre: 47, gue: 17 }[tunnel.type],
    body: bodies[tunnel.type](),
  }).subarray(14);
}

/** RFC 2784. */
function greOf(inner: Buffer, isInnerFour: boolean, { checksum }: Tunnel): Buffer {
  const type = isInnerFour ? [0x08, 0x00] : [0x86, 0xdd];
  if (checksum === 'none') return Buffer.concat([Buffer.from([0, 0, ...type]), inner]);
  const packet = Buffer.concat([Buffer.from([0x80, 0, ...type, 0, 0, 0, 0]), inner]);
  packet.writeUInt16BE(checksumOf(packet), 4);
  return packet;
}

/** draft-ietf-intarea-gue-09; a checksum that is whole needs no remote one. */
function gueOf(inner: Buffer, isInnerFour: boolean, { checksum, port }: Tunnel, outer: Ends, source: number): Buffer {
  const body = Buffer.concat([Buffer.from([0, isInnerFour ? 4 : 41, 0, 0]), inner]);
  const facts = { source: outer.dip, destination: outer.rip(1), sourcePort: source, destinationPort: port };
  const frame = build({ ...facts, payload: body, withoutChecksum: checksum === 'none' });
  return frame.subarray(14 + (isFour(outer) ? 20 : 40));
}
