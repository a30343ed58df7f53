// Packet in, verdict and packet out: each forwarding method in both directions and at both hooks, and what is left alone.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Method } from '../../src/model/service.ts';
import { build, checksumErrors, type Description, flag, parse, protocol } from '../packets.ts';
import { client, destination, dip, openStage, rip, ripMac, routerMac, type Stage, service, vip } from './stage.ts';

const { syn, ack, rst, psh } = flag;
const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const local = '192.0.2.77';

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...methods.flatMap((method) =>
      (['tcp', 'udp'] as const).map((name) =>
        service({
          protocol: name,
          port: ports[method],
          localAddresses: method === 'fullnat' ? [local] : [],
          destinations: [
            destination(1, method, { port: method === 'masq' || method === 'fullnat' ? 8080 : ports[method] }),
          ],
        }),
      ),
    ),
    service({ port: 90, destinations: [destination(9, 'tunnel', { port: 90 })] }),
    service({ port: 91, destinations: [destination(1, 'masq', { weight: 0 })] }),
    service({ port: 92, destinations: [destination(1, 'gate', { port: 92 })] }),
  );
  for (const method of methods) {
    stage.walk(request(method));
    stage.walk(request(method, { flags: undefined }));
    if (method === 'masq') stage.walk(reply());
  }
  stage.walk(build({ ...tcp, destinationPort: 90, flags: syn }));
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

const tcp = { source: client, destination: vip, sourcePort: 4001, tos: 0x28, dontFragment: true, id: 77 } as const;
type Change = { readonly [Member in keyof Description]?: Description[Member] | undefined };

function request(method: Method, change: Change = {}): Buffer {
  return build(
    described({ ...tcp, destinationPort: ports[method], flags: syn, payload: Buffer.from('hello') }, change),
  );
}

function reply(change: Change = {}, to: { address?: string; port?: number } = {}): Buffer {
  const base = { ...tcp, source: rip(1), sourcePort: 8080, flags: syn | ack, payload: Buffer.from('world') };
  const ends = { destination: to.address ?? client, destinationPort: to.port ?? tcp.sourcePort };
  return build(described({ ...base, ...ends }, change));
}

/** undefined takes away what the base has. */
function described(base: Description, change: Change): Description {
  return Object.fromEntries(
    Object.entries({ ...base, ...change }).filter(([, value]) => value !== undefined),
  ) as unknown as Description;
}

function forwarded(hook: 'xdp' | 'tc', frame: Buffer): ReturnType<typeof parse> {
  const { verdict, packet } = stage[hook](frame);
  expect(verdict).toBe('redirect');
  expect(checksumErrors(packet)).toEqual([]);
  return parse(packet);
}

describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
  describe.each([
    ['TCP', {}],
    ['UDP', { flags: undefined }],
    ['TCP with IP options', { options: Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]) }],
    ['TCP with a router alert and a full timestamp', { options: Buffer.from('94040000440809e000000000', 'hex') }],
    ['TCP with TCP options', { tcpOptions: Buffer.from([2, 4, 5, 0xb4, 1, 1, 1, 0]) }],
    ['a frame with padding behind the packet', { payload: undefined, padding: 6 }],
    ['a packet of an odd length', { payload: Buffer.from('odd') }],
  ] as [string, Change][])('%s', (_, change) => {
    test('by masq gets the real server as its destination, and the TTL one less', () => {
      const sent = parse(request('masq', change)).ip;
      const { ip, ...frame } = forwarded(hook, request('masq', change));
      const { checksum: _sum, ...rest } = sent;
      expect(ip).toMatchObject({ ...rest, destination: rip(1), destinationPort: 8080, ttl: 63 });
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: ripMac(1), sourceMac: directorMac() });
    });

    test('back by masq gets the VIP as its source', () => {
      forwarded(hook, request('masq', change));
      stage.tc(reply(change)); // the way to the client is looked up
      const { ip, ...frame } = forwarded(hook, reply(change));
      expect(ip).toMatchObject({
        source: vip,
        sourcePort: 80,
        destination: client,
        destinationPort: 4001,
        ttl: 63,
        id: 77,
      });
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: routerMac, sourceMac: directorMac() });
    });

    test('by gate keeps all but the TTL and the MACs', () => {
      const sent = parse(request('gate', change)).ip;
      const { ip, ...frame } = forwarded(hook, request('gate', change));
      expect(ip).toEqual({ ...sent, ttl: 63 });
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: ripMac(1), sourceMac: directorMac() });
    });

    test('by tunnel goes whole into a packet to the real server', () => {
      const sent = parse(request('tunnel', change)).ip;
      const { ip, ...frame } = forwarded(hook, request('tunnel', change));
      expect(ip.inner).toEqual({ ...sent, ttl: 63 });
      expect(ip).toMatchObject({
        source: dip,
        destination: rip(1),
        protocol: protocol.ipip,
        ttl: 63,
        tos: 0x28,
        id: 0,
        dontFragment: true,
      });
      expect(ip.totalLength).toBe(sent.totalLength + 20);
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: ripMac(1), sourceMac: directorMac() });
    });

    test('by fullnat gets a local address and port as its source, and replies find back', () => {
      const { ip } = forwarded(hook, request('fullnat', change));
      expect(ip).toMatchObject({ source: local, destination: rip(1), destinationPort: 8080, ttl: 63 });
      expect(ip.sourcePort).toBeGreaterThanOrEqual(1024);
      const answer = reply(change, { address: local, port: ip.sourcePort ?? 0 });
      stage.tc(answer);
      const back = forwarded(hook, answer).ip;
      expect(back).toMatchObject({
        source: vip,
        sourcePort: ports.fullnat,
        destination: client,
        destinationPort: 4001,
        ttl: 63,
      });
    });
  });

  test.each(methods)('UDP without a checksum by %s stays without', (method) => {
    const { ip } = forwarded(hook, request(method, { flags: undefined, withoutChecksum: true }));
    expect((ip.inner ?? ip).checksum).toBe(0);
  });

  test('a tunnel header without DF has an id of its own', () => {
    const ids = [1, 2, 3, 4].map(() => forwarded(hook, request('tunnel', { dontFragment: false })).ip);
    expect(ids.every(({ dontFragment }) => !dontFragment)).toBe(true);
    expect(new Set(ids.map(({ id }) => id)).size).toBeGreaterThan(1);
  });

  test.each<[string, () => Buffer]>([
    ['of another protocol', () => build({ ...tcp, protocol: 132 })],
    ['of no service', () => build({ ...tcp, destinationPort: 79, flags: syn })],
    ['of ICMP', () => build({ ...tcp, protocol: protocol.icmp })],
    ['that is ARP', () => build({ ...tcp, etherType: 0x0806 })],
    ['that is IPv6', () => build({ ...tcp, etherType: 0x86dd, payload: Buffer.alloc(40) })],
    ['of another IP version', () => request('masq', { version: 5 })],
    [
      'that is the first fragment, and too short for a TCP header',
      () => request('masq', { moreFragments: true, totalLength: 36, dontFragment: false }),
    ],
    ['whose header is shorter than 20 bytes', () => request('masq', { headerLength: 4 })],
    ['whose header reaches beyond the frame', () => request('masq', { headerLength: 15, payload: undefined })],
    ['that says to be longer than the frame', () => request('masq', { totalLength: 60 })],
    ['that says to be shorter than its headers', () => request('masq', { totalLength: 39 })],
    ['amid a connection that is not known', () => request('masq', { flags: ack })],
    ['that ends a connection that is not known', () => request('masq', { flags: rst })],
    ['that begins and ends a connection', () => request('masq', { flags: syn | rst })],
    ["from FTP's data port", () => request('masq', { sourcePort: 20 })],
    ['from a real server, of no connection', () => reply()],
    ...(
      [
        ['a route laid down', '830704c000020100'],
        ['a router alert that is too short', '94030000'],
        ['a route that has no room for what remains of it', '0707060000000000'],
        ['a timestamp without its flags', '4403050000000000'],
        ['a timestamp that has no room for an address', '4408050100000000'],
        ['a timestamp that too many could not enter', '440809f000000000'],
      ] as const
    ).map(([what, options]): [string, () => Buffer] => [
      `that has ${what}`,
      () => request('masq', { options: Buffer.from(options, 'hex') }),
    ]),
  ])('a packet %s passes untouched', (_, make) => {
    const frame = make();
    const answer = stage[hook](frame);
    expect(answer.verdict).toBe('pass');
    expect(answer.packet.equals(frame)).toBe(true);
    expect(stage.news()).toEqual({});
  });

  test.each(['masq', 'tunnel'] as const)('a frame of %s that is cut anywhere passes untouched', (method) => {
    const whole = request(method, { options: Buffer.from([1, 1, 1, 0]) });
    // A test run takes no socket buffer that says to be IPv4 and has not even its header.
    for (let length = hook === 'xdp' ? 14 : 34; length < whole.length; length++) {
      const frame = Buffer.from(whole.subarray(0, length));
      const answer = stage[hook](frame);
      expect([length, answer.verdict]).toEqual([length, 'pass']);
      expect(answer.packet.subarray(0, length).equals(frame)).toBe(true);
    }
    expect(stage.news()).toEqual({});
  });

  test('a frame for another machine passes untouched', () => {
    expect(stage[hook](request('masq', { destinationMac: '02:00:00:00:00:55' })).verdict).toBe('pass');
  });

  test('counts packets and the bytes of layer 3, both ways', () => {
    const before = countersOf('masq');
    stage[hook](request('masq'));
    stage[hook](request('masq', { flags: ack, padding: 11 }));
    stage[hook](reply());
    const after = countersOf('masq');
    const length = BigInt(parse(request('masq')).ip.totalLength);
    expect(after).toEqual({
      connections: before.connections + 1n,
      inPackets: before.inPackets + 2n,
      inBytes: before.inBytes + 2n * length,
      outPackets: before.outPackets + 1n,
      outBytes: before.outBytes + length,
    });
  });

  test('a packet of a connection whose destination was deleted is dropped, until it comes back', () => {
    const before = stage.services().map(({ counters: _c, rates: _r, ...rest }) => rest);
    forwarded(hook, request('gate'));
    stage.install(...before.filter(({ identity }) => !('port' in identity) || identity.port !== ports.gate));
    expect(stage[hook](request('gate', { flags: ack })).verdict).toBe('drop');
    expect(stage.news()).toEqual({ 'destination-gone': 1 });
    stage.install(...before);
    stage.walk(request('gate', { flags: ack }));
    expect(stage.walk(request('gate', { flags: ack })).verdict).toBe('redirect');
  });
});

describe('XDP leaves to TC, untouched,', () => {
  test.each<[string, Buffer]>([
    ['a packet at its end of life', request('masq', { ttl: 1 })],
    ['a packet without a destination', build({ ...tcp, destinationPort: 91, flags: syn })],
    ['a packet with a VLAN tag', request('masq', { tags: [5] })],
    ['a packet too big for the tunnel', request('tunnel', { payload: Buffer.alloc(1450) })],
  ])('%s', (_, frame) => {
    const answer = stage.xdp(frame);
    expect(answer.verdict).toBe('pass');
    expect(answer.packet.equals(frame)).toBe(true);
  });
});

describe('TC answers by ICMP', () => {
  test.each([1, 0])('a TTL of %s with time exceeded, from the VIP, and quotes the packet', (ttl) => {
    for (const method of methods) {
      const frame = request(method, { ttl });
      const { ip } = forwarded('tc', frame);
      expect(ip).toMatchObject({ source: vip, destination: client, protocol: protocol.icmp });
      expect(ip.icmp).toEqual({ type: 11, code: 0, mtu: 0 });
      expect(ip.payload.equals(frame.subarray(14))).toBe(true);
    }
    expect(stage.news()).toEqual({ 'ttl-exceeded': 4 });
  });

  test("a reply's TTL of 1 from its own side", () => {
    forwarded('tc', request('masq'));
    const { ip } = forwarded('tc', reply({ ttl: 1 }));
    expect(ip).toMatchObject({ source: dip, destination: rip(1), icmp: { type: 11, code: 0 } });
  });

  test.each([
    ['1500 bytes', ports.tunnel, 1480, 1441],
    ["a route's 1400 bytes", 90, 1380, 1341],
  ])('a packet too big for a tunnel over %s, aged, with fragmentation needed and the MTU', (_, port, mtu, payload) => {
    const make = (length: number, ttl = 64): Buffer =>
      build({ ...tcp, ttl, destinationPort: port, flags: syn | psh, payload: Buffer.alloc(length, 'x') });
    const { ip } = forwarded('tc', make(payload));
    expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 3, code: 4, mtu } });
    expect(ip.totalLength).toBe(576);
    expect(ip.payload.equals(make(payload, 63).subarray(14, 14 + 548))).toBe(true);
    expect(forwarded('tc', make(payload - 1)).ip.protocol).toBe(protocol.ipip);
    expect(stage.news()).toEqual({ 'too-big': 1 });
  });

  test('not a packet too big for its way that may be fragmented: it is cut', () => {
    for (const method of ['tunnel', 'gate', 'masq', 'fullnat'] as const) {
      const size = method === 'tunnel' ? 1441 : 1461;
      const { ip } = forwarded('tc', request(method, { dontFragment: false, payload: Buffer.alloc(size, 'x') }));
      const { inner: piece = ip } = ip;
      expect(piece).toMatchObject({ moreFragments: true, fragmentOffset: 0, ttl: 63 });
      expect(piece.totalLength).toBe(method === 'tunnel' ? 20 + 1456 : 1500);
    }
    expect(stage.news()).toEqual({});
  });

  test('a service without a usable destination with port unreachable', () => {
    for (const change of [{}, { tos: 0 }]) {
      const frame = build({ ...tcp, ...change, destinationPort: 91, flags: syn });
      const { ip } = forwarded('tc', frame);
      expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 3, code: 3, mtu: 0 } });
      expect(ip.payload.equals(frame.subarray(14))).toBe(true);
    }
    expect(stage.news()).toEqual({ 'no-destination': 2 });
  });

  test('not more often than its limit allows', () => {
    const settings = stage.maps.rows('settings');
    const { hz } = settings.read<{ hz: number }>(0);
    settings.patch(0, { hz: 0xffffffff }); // no time passes that would earn another
    const verdicts = Array.from({ length: 60 }, () => stage.tc(request('gate', { ttl: 1 })).verdict);
    settings.patch(0, { hz });
    const news = stage.news();
    expect(news['ttl-exceeded']).toBe(60);
    expect(news['icmp-limited']).toBe(verdicts.filter((verdict) => verdict === 'drop').length);
    expect(news['icmp-limited']).toBeGreaterThan(0);
  });
});

describe('checksums that a device has summed up (CHECKSUM_COMPLETE)', () => {
  const complete = 4; // BPF_F_TEST_SKB_CHECKSUM_COMPLETE: the kernel compares them after the run

  test.each(
    methods.flatMap((method) => [[method, 'TCP', {}] as const, [method, 'UDP', { flags: undefined }] as const]),
  )('stay right with %s and %s', (method, _, change) => {
    const { verdict, packet } = stage.tc(request(method, change), { flags: complete });
    expect(verdict).toBe('redirect');
    expect(checksumErrors(packet)).toEqual([]);
  });
});

describe('segments of a large packet (GSO)', () => {
  const segmented = (size: number): Buffer => {
    const context = Buffer.alloc(192);
    const layout = { gso_segs: 164, gso_size: 176 };
    context.writeUInt32LE(2, layout.gso_segs);
    context.writeUInt32LE(size, layout.gso_size);
    return context;
  };
  const large = (method: Method): Buffer => request(method, { flags: syn, payload: Buffer.alloc(2600, 'x') });

  test('that fit their way are sent', () => {
    expect(stage.tc(large('masq'), { context: segmented(1460) }).verdict).toBe('redirect');
  });

  test.each([
    ['masq', 1461, 1500],
    ['tunnel', 1441, 1480],
  ] as const)('that do not fit by %s are answered', (method, size, mtu) => {
    const { packet } = stage.tc(large(method), { context: segmented(size) });
    expect(parse(packet).ip.icmp).toEqual({ type: 3, code: 4, mtu });
    expect(checksumErrors(packet)).toEqual([]);
  });
});

function directorMac(): string {
  return /link\/ether (\S+)/.exec(stage.namespace.ip('link', 'show', 'v0'))?.[1] ?? '';
}

function countersOf(method: Method): ReturnType<Stage['services']>[number]['counters'] {
  const found = stage
    .services()
    .find(
      ({ identity }) => identity.kind === 'address' && identity.protocol === 'tcp' && identity.port === ports[method],
    );
  if (found === undefined) throw new Error(`there is no service of ${method}`);
  return found.counters;
}
