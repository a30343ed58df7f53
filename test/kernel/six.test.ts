// IPv6: packet in, verdict and packet out, by each forwarding method in both directions and at both hooks.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { Method } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, checksumErrors, type Description, extension, flag, parse, protocol } from '../packets.ts';
import { destination, openStage, ripMac, routerMac, type Stage, service, six } from './stage.ts';

const { vip, client, dip, rip } = six;
const { syn, ack, rst } = flag;
const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const translated: readonly Method[] = ['masq', 'fullnat'];
const local = '2001:db8:b::77';

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...methods.flatMap((method) =>
      (['tcp', 'udp'] as const).map((name) =>
        service({
          vip,
          protocol: name,
          port: ports[method],
          localAddresses: method === 'fullnat' ? [local] : [],
          destinations: [realServer(1, method, translated.includes(method) ? 8080 : ports[method])],
        }),
      ),
    ),
    service({ vip, port: 90, destinations: [realServer(9, 'tunnel', 90)] }),
    service({ vip, port: 91, destinations: [{ ...realServer(1, 'masq', 91), weight: 0 }] }),
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

const tcp = { source: client, destination: vip, sourcePort: 4001, tos: 0x28 } as const;
type Change = { readonly [Member in keyof Description]?: Description[Member] | undefined };

function realServer(number: number, method: Method, port: number): ReturnType<typeof destination> {
  return destination(number, method, { rip: parseAddress(rip(number)), port });
}

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
    ['TCP with TCP options', { tcpOptions: Buffer.from([2, 4, 5, 0xb4, 1, 1, 1, 0]) }],
    ['a frame with padding behind the packet', { payload: undefined, padding: 6 }],
    ['a packet of an odd length', { payload: Buffer.from('odd') }],
    ['TCP behind extension headers', { extensions: headers(6, 14) }],
    ['UDP behind as many as are read', { flags: undefined, extensions: headers(6, 6, 6, 6, 6, 118) }],
  ] as [string, Change][])('%s', (_, change) => {
    test('by masq gets the real server as its destination, and the hop limit one less', () => {
      const sent = parse(request('masq', change)).ip;
      const { ip, ...frame } = forwarded(hook, request('masq', change));
      const { checksum: _sum, ...rest } = sent;
      expect(ip).toMatchObject({ ...rest, destination: rip(1), destinationPort: 8080, ttl: 63 });
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: ripMac(1), sourceMac: directorMac() });
      expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
    });

    test('back by masq gets the VIP as its source', () => {
      forwarded(hook, request('masq', change));
      stage.tc(reply(change)); // the way to the client is looked up
      const { ip, ...frame } = forwarded(hook, reply(change));
      expect(ip).toMatchObject({ source: vip, sourcePort: 80, destination: client, destinationPort: 4001, ttl: 63 });
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: routerMac, sourceMac: directorMac() });
    });

    test('by gate keeps all but the hop limit and the MACs', () => {
      const sent = parse(request('gate', change)).ip;
      const { ip, ...frame } = forwarded(hook, request('gate', change));
      expect(ip).toEqual({ ...sent, ttl: 63 });
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: ripMac(1), sourceMac: directorMac() });
    });

    test('by tunnel goes whole into a packet to the real server', () => {
      const sent = parse(request('tunnel', change)).ip;
      const { ip, ...frame } = forwarded(hook, request('tunnel', change));
      expect(ip.inner).toEqual({ ...sent, ttl: 63 });
      expect(ip).toMatchObject({ source: dip, destination: rip(1), protocol: protocol.ipv6, ttl: 63, tos: 0x28 });
      expect(ip.totalLength).toBe(sent.totalLength + 40);
      if (hook === 'xdp') expect(frame).toMatchObject({ destinationMac: ripMac(1), sourceMac: directorMac() });
    });

    test('by fullnat gets a local address and port as its source, and replies find back', () => {
      const { ip } = forwarded(hook, request('fullnat', change));
      expect(ip).toMatchObject({ source: local, destination: rip(1), destinationPort: 8080, ttl: 63 });
      expect(ip.sourcePort).toBeGreaterThanOrEqual(1024);
      const answer = reply(change, { address: local, port: ip.sourcePort ?? 0 });
      stage.tc(answer);
      const back = forwarded(hook, answer).ip;
      expect(back).toMatchObject({ source: vip, sourcePort: 83, destination: client, destinationPort: 4001, ttl: 63 });
    });
  });

  test.each<[string, () => Buffer]>([
    ['of another protocol', () => build({ ...tcp, protocol: 132 })],
    ['of no service', () => build({ ...tcp, destinationPort: 79, flags: syn })],
    ['of ICMPv6', () => build({ ...tcp, protocol: protocol.icmp6, payload: Buffer.from([135, 0, 0, 0]) })],
    ['of another IP version', () => request('masq', { version: 4 })],
    [
      'that is on its way to somewhere else',
      () => request('masq', { extensions: [{ type: extension.routing, body: Buffer.from([0, 1, 0, 0, 0, 0]) }] }),
    ],
    ['with more extension headers than are read', () => request('masq', { extensions: headers(6, 6, 6, 6, 6, 6, 6) })],
    ['with longer extension headers than are read', () => request('masq', { extensions: headers(166) })],
    [
      'whose extension header reaches beyond the frame',
      () => request('masq', { extensions: [{ type: extension.destination, body: Buffer.alloc(6), length: 10 }] }),
    ],
    ['that says to be longer than the frame', () => request('masq', { totalLength: 90 })],
    ['that says to be shorter than its headers', () => request('masq', { totalLength: 59 })],
    ['amid a connection that is not known', () => request('masq', { flags: ack })],
    ['that ends a connection that is not known', () => request('masq', { flags: rst })],
    ["from FTP's data port", () => request('masq', { sourcePort: 20 })],
    ['from a real server, of no connection', () => reply()],
  ])('a packet %s passes untouched', (_, make) => {
    const frame = make();
    const answer = stage[hook](frame);
    expect(answer.verdict).toBe('pass');
    expect(answer.packet.equals(frame)).toBe(true);
    expect(stage.news()).toEqual({});
  });

  test.each(['masq', 'tunnel'] as const)('a frame of %s that is cut anywhere passes untouched', (method) => {
    const whole = request(method, { extensions: headers(6) });
    // A test run takes no socket buffer that says to be IPv6 and has not even its header.
    for (let length = hook === 'xdp' ? 14 : 54; length < whole.length; length++) {
      const frame = Buffer.from(whole.subarray(0, length));
      const answer = stage[hook](frame);
      expect([length, answer.verdict]).toEqual([length, 'pass']);
      expect(answer.packet.subarray(0, length).equals(frame)).toBe(true);
    }
    expect(stage.news()).toEqual({});
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

describe('TC answers by ICMPv6', () => {
  test.each([1, 0])('a hop limit of %s with time exceeded, from the VIP, and quotes the packet', (ttl) => {
    for (const method of methods) {
      for (const change of [{ ttl }, { ttl, extensions: headers(6) }]) {
        const frame = request(method, change);
        const { ip } = forwarded('tc', frame);
        expect(ip).toMatchObject({ source: vip, destination: client, protocol: protocol.icmp6, ttl: 64, tos: 0 });
        expect(ip.icmp).toEqual({ type: 3, code: 0, mtu: 0 });
        expect(ip.payload.equals(frame.subarray(14))).toBe(true);
      }
    }
    expect(stage.news()).toEqual({ 'ttl-exceeded': 8 });
  });

  test("a reply's hop limit of 1 from its own side", () => {
    forwarded('tc', request('masq'));
    const { ip } = forwarded('tc', reply({ ttl: 1 }));
    expect(ip).toMatchObject({ source: dip, destination: rip(1), icmp: { type: 3, code: 0 } });
  });

  test.each([
    ['1500 bytes', ports.tunnel, 1460, 1401],
    ["a route's 1400 bytes", 90, 1360, 1301],
  ])('a packet too big for a tunnel over %s, aged, with the MTU', (_, port, mtu, payload) => {
    const make = (length: number, ttl: number): Buffer =>
      build({ ...tcp, ttl, destinationPort: port, flags: syn, payload: Buffer.alloc(length, 'x') });
    const { ip } = forwarded('tc', make(payload, 64));
    expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 2, code: 0, mtu } });
    expect(ip.totalLength).toBe(1280);
    expect(ip.payload.equals(make(payload, 63).subarray(14, 14 + 1232))).toBe(true);
    expect(forwarded('tc', make(payload - 1, 64)).ip.protocol).toBe(protocol.ipv6);
    expect(stage.news()).toEqual({ 'too-big': 1 });
  });

  test('a service without a usable destination with port unreachable', () => {
    for (const change of [{ flags: syn }, { flags: syn, tos: 0, payload: Buffer.alloc(1300, 'x') }]) {
      const frame = build({ ...tcp, ...change, destinationPort: 91 });
      const { ip } = forwarded('tc', frame);
      expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 1, code: 4, mtu: 0 } });
      expect(ip.payload.equals(frame.subarray(14, 14 + 1232))).toBe(true);
    }
    expect(stage.news()).toEqual({ 'no-destination': 2 });
  });

  test('not a packet from nowhere', () => {
    expect(stage.tc(request('gate', { source: '::', ttl: 1 })).verdict).toBe('drop');
    expect(stage.news()).toEqual({ 'ttl-exceeded': 1 });
  });

  test('not more often than its limit allows, but for what a path bears', () => {
    const settings = stage.maps.rows('settings');
    const { hz } = settings.read<{ hz: number }>(0);
    settings.patch(0, { hz: 0xffffffff }); // no time passes that would earn another
    const verdicts = Array.from({ length: 60 }, () => stage.tc(request('gate', { ttl: 1 })).verdict);
    settings.patch(0, { hz });
    const news = stage.news();
    expect(news['ttl-exceeded']).toBe(60);
    expect(news['icmp-limited']).toBe(verdicts.filter((verdict) => verdict === 'drop').length);
    expect(news['icmp-limited']).toBeGreaterThan(0);
    const large = request('tunnel', { payload: Buffer.alloc(1450) });
    expect(Array.from({ length: 100 }, () => stage.tc(large).verdict)).not.toContain('drop');
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

  test('stay right with an answer by ICMPv6', () => {
    const { verdict, packet } = stage.tc(request('gate', { ttl: 1 }), { flags: complete });
    expect(verdict).toBe('redirect');
    expect(checksumErrors(packet)).toEqual([]);
  });
});

describe('segments of a large packet (GSO)', () => {
  test.each([
    ['masq', 1440, 0],
    ['masq', 1441, 1500],
    ['tunnel', 1401, 1460],
  ] as const)('of %s and %s bytes are answered if they do not fit', (method, size, mtu) => {
    const context = Buffer.alloc(192);
    const layout = { gso_segs: 164, gso_size: 176 };
    context.writeUInt32LE(2, layout.gso_segs);
    context.writeUInt32LE(size, layout.gso_size);
    const { verdict, packet } = stage.tc(request(method, { payload: Buffer.alloc(2600, 'x') }), { context });
    expect(verdict).toBe('redirect');
    expect(checksumErrors(packet)).toEqual([]);
    const { icmp } = parse(packet).ip;
    expect(icmp).toEqual(mtu === 0 ? undefined : { type: 2, code: 0, mtu });
  });
});

/** Destination options with so many bytes each, after their first two: padding, all of it. */
function headers(...sizes: readonly number[]): readonly { readonly type: number; readonly body: Buffer }[] {
  return sizes.map((size, index) => ({
    type: index === 0 ? extension.hopByHop : extension.destination,
    body: Buffer.concat([Buffer.from([1, size - 2]), Buffer.alloc(size - 2)]),
  }));
}

function directorMac(): string {
  return /link\/ether (\S+)/.exec(stage.namespace.ip('link', 'show', 'v0'))?.[1] ?? '';
}
