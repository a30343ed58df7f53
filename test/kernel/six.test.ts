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
