// A real server of the other address family, by tunnel: IPv4 within IPv6, and IPv6 within IPv4.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formatTrace } from '../../src/cli/fairlead/trace.ts';
import { tracePacket } from '../../src/dataplane/trace.ts';
import { parseAddress } from '../../src/model/address.ts';
import { takeCensus } from '../invariants.ts';
import { build, checksumErrors, flag, fragment, parse, protocol, reassemble } from '../packets.ts';
import * as stages from './stage.ts';

const { openStage, ripMac, service, six } = stages;
const { syn, ack } = flag;
const four = { vip: stages.vip, client: stages.client, dip: stages.dip, rip: stages.rip };

const ways = [
  {
    name: 'IPv4 within IPv6',
    inner: four,
    outer: six,
    wrap: { protocol: protocol.ipip, etherType: 0x86dd, header: 40 },
    tooBig: { type: 3, code: 4, mtu: 1460 },
    answerOf: protocol.icmp,
  },
  {
    name: 'IPv6 within IPv4',
    inner: six,
    outer: four,
    wrap: { protocol: protocol.ipv6, etherType: 0x0800, header: 20 },
    tooBig: { type: 2, code: 0, mtu: 1480 },
    answerOf: protocol.icmp6,
  },
] as const;

let stage: stages.Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...ways.flatMap(({ inner, outer }) =>
      (['tcp', 'udp'] as const).map((name) =>
        service({
          vip: inner.vip,
          protocol: name,
          destinations: [stages.destination(1, 'tunnel', { rip: parseAddress(outer.rip(1)) })],
        }),
      ),
    ),
  );
  for (const { inner } of ways) {
    stage.walk(request(inner, { flags: syn }));
    stage.walk(request(inner, {}));
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

interface Change {
  readonly flags?: number;
  readonly ttl?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly payload?: Buffer;
}

function request(ends: { readonly client: string; readonly vip: string }, change: Change): Buffer {
  const { client: source, vip: destination } = ends;
  return build({
    source,
    destination,
    sourcePort: 4001,
    destinationPort: 80,
    tos: 0x28,
    dontFragment: true,
    ...change,
  });
}

describe.each(ways)('$name', ({ inner, outer, wrap, tooBig, answerOf }) => {
  describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
    test.each([
      ['a SYN', { flags: syn }],
      ['a datagram', { payload: Buffer.from('odd') }],
      ['a packet without DF', { flags: syn, dontFragment: false }],
    ])('%s goes whole to the real server', (_, change) => {
      const sent = parse(request(inner, change)).ip;
      const { verdict, packet } = stage[hook](request(inner, change));
      expect(verdict).toBe('redirect');
      expect(checksumErrors(packet)).toEqual([]);
      const { ip, ...frame } = parse(packet);
      expect(ip.inner).toMatchObject({ ...sent, ttl: 63 });
      expect(ip).toMatchObject({ source: outer.dip, destination: outer.rip(1), protocol: wrap.protocol });
      expect(ip).toMatchObject({ ttl: 63, tos: 0x28, totalLength: sent.totalLength + wrap.header });
      if (wrap.etherType === 0x0800) expect(ip.dontFragment).toBe(false);
      expect(frame.etherType).toBe(wrap.etherType);
      if (hook === 'xdp') expect(frame.destinationMac).toBe(ripMac(1));
    });

    test('packets amid the connection follow it', () => {
      stage[hook](request(inner, { flags: syn }));
      const { verdict, packet } = stage[hook](request(inner, { flags: ack }));
      expect(verdict).toBe('redirect');
      expect(parse(packet).ip.inner).toMatchObject({ flags: ack, ttl: 63 });
      expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 0, violations: [] });
    });
  });

  test.each(['xdp', 'tc'] as const)('at %s fragments go each into a tunnel of its own', (hook) => {
    const whole = request(inner, { payload: Buffer.alloc(3000, 'x'), id: hook === 'xdp' ? 1 : 2 });
    stage.walk(request(inner, {}));
    const parts = fragment(whole, 1400, hook === 'xdp' ? 1 : 2).map((frame) => {
      const { verdict, packet } = stage[hook](frame);
      expect(verdict).toBe('redirect');
      expect(checksumErrors(packet)).toEqual([]);
      expect(parse(packet).ip).toMatchObject({ source: outer.dip, destination: outer.rip(1) });
      return Buffer.concat([frame.subarray(0, 14), packet.subarray(14 + wrap.header)]);
    });
    expect(parts.length).toBe(3);
    expect(parse(reassemble(parts)).ip.payload).toEqual(parse(whole).ip.payload);
    const [, early = Buffer.alloc(0)] = fragment(request(inner, { payload: Buffer.alloc(3000), id: 3 }), 1400, 3);
    if (hook === 'tc') for (let count = 0; count < 64; count++) expect(stage.tc(early).verdict).toBe('redirect');
    expect(stage[hook](early).verdict).toBe(hook === 'tc' ? 'drop' : 'pass');
    expect(stage.news()).toEqual(hook === 'tc' ? { 'fragment-early': 1 } : { 'to-tc': 1 });
  });

  test('a packet too large is answered in its own family', () => {
    const make = (length: number): Buffer => request(inner, { flags: syn, payload: Buffer.alloc(length, 'x') });
    const fits = tooBig.mtu - parse(make(0)).ip.totalLength;
    expect(parse(stage.walk(make(fits)).packet).ip.protocol).toBe(wrap.protocol);
    const { verdict, packet } = stage.walk(make(fits + 1));
    expect(verdict).toBe('redirect');
    expect(checksumErrors(packet)).toEqual([]);
    expect(parse(packet).ip).toMatchObject({ source: inner.vip, destination: inner.client, icmp: tooBig });
  });

  test('a packet at its end of life is answered in its own family', () => {
    const { packet } = stage.walk(request(inner, { flags: syn, ttl: 1 }));
    expect(parse(packet).ip).toMatchObject({ source: inner.vip, destination: inner.client, protocol: answerOf });
  });

  test('sums that a device has made up stay right', () => {
    const complete = 4; // BPF_F_TEST_SKB_CHECKSUM_COMPLETE: the kernel compares them after the run
    const { verdict, packet } = stage.tc(request(inner, { flags: syn }), { flags: complete });
    expect(verdict).toBe('redirect');
    expect(checksumErrors(packet)).toEqual([]);
  });

  test('a trace tells both families', () => {
    const end = (address: string, port: number) => ({ address: parseAddress(address), port });
    const question = { protocol: 'tcp', source: end(inner.client, 4001), target: end(inner.vip, 80) } as const;
    const text = stage.run(() => formatTrace(question, tracePacket(stage.maps, question), new Map()));
    expect(text).toContain(`rewrite      outer ${outer.dip} -> ${outer.rip(1)}, ipip\n`);
    expect(text).toMatch(new RegExp(`next hop +${outer.rip(1)} dev [0-9]+, mtu ${tooBig.mtu}\nverdict +forwarded\n$`));
  });
});

test('neither gate nor masq leads to the other family', () => {
  const identities = () => stage.services().map(({ identity }) => identity);
  const before = identities();
  for (const method of ['gate', 'masq'] as const) {
    const mixed = service({
      port: 99,
      destinations: [stages.destination(1, method, { rip: parseAddress(six.rip(1)) })],
    });
    expect(() => stage.install(mixed)).toThrow('of one family');
  }
  expect(identities()).toEqual(before);
});
