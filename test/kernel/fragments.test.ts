// IP fragments: they follow the first one of their datagram, each way and by each method, and are nobody's without it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { Method } from '../../src/model/service.ts';
import { build, checksumErrors, type Description, flag, fragment, parse, protocol, reassemble } from '../packets.ts';
import { client, destination, openStage, rip, type Stage, service, six, vip } from './stage.ts';

const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const realServerPort = 8080;
const families = {
  IPv4: { vip, client, rip, local: '192.0.2.77', elsewhere: '192.0.2.200', echo: protocol.icmp },
  IPv6: { ...six, local: '2001:db8:b::77', elsewhere: '2001:db8:b::200', echo: protocol.icmp6 },
} as const;
type Family = keyof typeof families;
const names = Object.keys(families) as Family[];
const clientPort = 4001;
/** What goes into a tunnel of 1500 bytes. */
const mtu = 1460;
const payload = Buffer.from(Array.from({ length: 8000 }, (_, at) => (at * 13) & 0xff));

let stage: Stage;
let id = 1;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...methods.flatMap((method) =>
      (['tcp', 'udp', 'sctp'] as const).flatMap((name) =>
        names.map((family) =>
          service({
            vip: families[family].vip,
            protocol: name,
            port: ports[method],
            localAddresses: method === 'fullnat' ? [families[family].local] : [],
            destinations: [
              destination(1, method, {
                rip: parseAddress(families[family].rip(1)),
                port: isTranslated(method) ? realServerPort : ports[method],
              }),
            ],
          }),
        ),
      ),
    ),
  );
  for (const method of methods) {
    for (const family of names) {
      const { packet } = stage.walk(request(family, method, { payload: Buffer.alloc(1) }));
      if (isTranslated(method)) stage.walk(reply(packet, { payload: Buffer.alloc(1) }));
      stage.walk(request(family, method, { payload: Buffer.alloc(1), flags: flag.syn }));
      stage.walk(request(family, method, { payload: Buffer.alloc(0), chunks: [{ type: 1, value: Buffer.alloc(16) }] }));
    }
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(names)('of %s', (family) => {
  const { vip: own, client: peer, rip: realServer, elsewhere, echo } = families[family];

  describe.each(['xdp', 'tc'] as const)('at %s a datagram of 8 kB', (hook) => {
    test.each(methods)('by %s arrives whole, both ways', (method) => {
      const frames = cut(request(family, method)).map((frame) => forwarded(hook, frame));
      const whole = reassemble(method === 'tunnel' ? frames.map((frame) => taken(family, frame)) : frames);
      expect(checksumErrors(whole)).toEqual([]);
      expect(parse(whole).ip).toMatchObject({ ttl: 63, payload });
      expect(parse(whole).ip).toMatchObject(
        isTranslated(method)
          ? { destination: realServer(1), destinationPort: realServerPort }
          : { source: peer, sourcePort: clientPort, destination: own, destinationPort: ports[method] },
      );
      expect(frames.length).toBe(6);
      if (!isTranslated(method)) return;

      const back = reassemble(cut(reply(whole)).map((frame) => forwarded(hook, frame)));
      expect(checksumErrors(back)).toEqual([]);
      const ends = { source: own, sourcePort: ports[method], destination: peer, destinationPort: clientPort };
      expect(parse(back).ip).toMatchObject({ ...ends, ttl: 63, payload });
    });

    test('is counted whole, and refreshes its connection', () => {
      const before = inPackets(own);
      for (const frame of cut(request(family, 'masq'))) forwarded(hook, frame);
      expect(inPackets(own) - before).toBe(6n);
      expect(stage.connections()).toMatchObject([{ protocol: 'udp', state: 'UDP' }]);
    });

    test('of no service is left to the kernel, all of it', () => {
      for (const frame of cut(request(family, 'masq', { destinationPort: 79 }))) {
        const answer = stage[hook](frame);
        expect([answer.verdict, answer.packet.equals(frame)]).toEqual(['pass', true]);
      }
      expect(stage.news()).toEqual({});
    });
  });

  test.each(['xdp', 'tc'] as const)('at %s a last fragment of one byte follows too', (hook) => {
    const size = family === 'IPv4' ? 1473 : 1441;
    const whole = request(family, 'masq', { payload: Buffer.alloc(size, 'x') });
    const [, last = Buffer.alloc(0), ...others] = fragment(whole, 1500, id++).map((frame) => forwarded(hook, frame));
    expect(others).toEqual([]);
    expect(parse(last).ip).toMatchObject({ destination: realServer(1), payload: Buffer.from('x') });
  });

  test.each(['xdp', 'tc'] as const)('at %s fragments of TCP follow, and only the first changes the state', (hook) => {
    const frames = cut(request(family, 'masq', { flags: flag.syn })).map((frame) => forwarded(hook, frame));
    expect(checksumErrors(reassemble(frames))).toEqual([]);
    expect(stage.connections()).toMatchObject([{ protocol: 'tcp', state: 'SYN_RECV' }]);
  });

  describe('of SCTP', () => {
    const init = (method: Method): Buffer =>
      request(family, method, { payload: Buffer.alloc(0), chunks: [{ type: 1, value: Buffer.alloc(3000) }] });

    test('follow by gate and tunnel', () => {
      for (const method of ['gate', 'tunnel'] as const) {
        const frames = cut(init(method)).map((frame) => forwarded('tc', frame));
        const whole = method === 'tunnel' ? frames.map((frame) => taken(family, frame)) : frames;
        expect(checksumErrors(reassemble(whole))).toEqual([]);
      }
    });

    test('whose port changes are dropped: their checksum is over the whole', () => {
      for (const hook of ['xdp', 'tc'] as const) {
        const [first = Buffer.alloc(0)] = cut(init('masq'));
        expect(answered(hook, first).verdict).toBe('drop');
      }
      expect(stage.news()).toMatchObject({ 'fragmented-sctp': 2 });
    });
  });

  describe('before their first', () => {
    test('of a connection go back into the receive queue a while, then they are dropped', () => {
      const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = cut(request(family, 'masq'));
      const { verdict, packet } = stage.xdp(second);
      expect([verdict, packet.equals(second)]).toEqual(['pass', true]);
      const again = stage.tc(second);
      expect([again.verdict, again.packet.equals(second)]).toEqual(['redirect', true]);
      for (let count = 1; count < 64; count++) expect(stage.tc(second).verdict).toBe('redirect');
      expect(stage.tc(second).verdict).toBe('drop');
      expect(stage.news()).toEqual({ 'fragment-early': 1, 'to-tc': 1 });
      stage.walk(first);
      expect(parse(stage.walk(second).packet).ip).toMatchObject({ destination: realServer(1) });
    });

    test("of a real server's reply do too", () => {
      const { packet } = stage.walk(request(family, 'fullnat', { payload: Buffer.alloc(1) }));
      const [, second = Buffer.alloc(0)] = cut(reply(packet));
      expect(stage.tc(second).verdict).toBe('redirect');
      const ofMasq = { source: realServer(1), destination: peer, sourcePort: 1, destinationPort: 2, id: id++, payload };
      expect(stage.tc(cut(build(ofMasq))[1] ?? Buffer.alloc(0)).verdict).toBe('redirect');
    });

    test('of anything else are left to the kernel, as is every fragment of another protocol', () => {
      const other = { source: peer, destination: elsewhere, sourcePort: 1, destinationPort: 2, payload };
      const ping = { source: peer, destination: own, protocol: echo, body: Buffer.alloc(3000) };
      for (const frame of [cut(build(other))[1], ...cut(build(ping))]) {
        if (frame === undefined) throw new Error('there is no such fragment');
        expect([stage.xdp(frame).verdict, stage.tc(frame).verdict]).toEqual(['pass', 'pass']);
      }
      expect(stage.news()).toEqual({});
    });
  });
});

test.each(['xdp', 'tc'] as const)(
  'at %s a datagram whose first fragment is without a checksum stays without',
  (hook) => {
    const frames = cut(request('IPv4', 'masq', { withoutChecksum: true })).map((frame) => forwarded(hook, frame));
    expect(parse(reassemble(frames)).ip).toMatchObject({ checksum: 0, destination: rip(1), payload });
  },
);

test('nobody is told by ICMP about a later one', () => {
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = cut(request('IPv4', 'masq', { ttl: 1 }));
  expect(parse(stage.tc(first).packet).ip).toMatchObject({ icmp: { type: 11, code: 0 } });
  expect(stage.tc(second).verdict).toBe('drop');
  expect(stage.news()).toEqual({ 'ttl-exceeded': 2 });
});

test('of IPv6, one alone that is the whole packet is like a packet without that header', () => {
  const whole = request('IPv6', 'masq', { flags: flag.syn, payload: Buffer.from('all') });
  const [atomic = Buffer.alloc(0)] = fragment(whole, 1500, id++);
  for (const hook of ['xdp', 'tc'] as const) {
    expect(parse(forwarded(hook, atomic)).ip).toMatchObject({ destination: six.rip(1), fragmentOffset: 0 });
  }
});

function isTranslated(method: Method): boolean {
  return method === 'masq' || method === 'fullnat';
}

function request(family: Family, method: Method, change: Partial<Description> = {}): Buffer {
  const { client: source, vip: to } = families[family];
  const ends = { source, sourcePort: clientPort, destination: to, destinationPort: ports[method] };
  return build({ ...ends, id: id++, payload, ...change });
}

/** To what a real server was sent. */
function reply(frame: Buffer, change: Partial<Description> = {}): Buffer {
  const { source, sourcePort = 0, destination: to, destinationPort = 0 } = parse(frame).ip;
  const ends = { source: to, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
  return build({ ...ends, id: id++, payload, ...change });
}

function cut(frame: Buffer): readonly Buffer[] {
  return fragment(frame, mtu, id++);
}

/** XDP leaves the packet that looks a way up to TC, once a second; here it comes again. */
function answered(hook: 'xdp' | 'tc', frame: Buffer): ReturnType<Stage['xdp']> {
  const answer = stage[hook](frame);
  return answer.verdict === 'pass' ? stage[hook](frame) : answer;
}

function forwarded(hook: 'xdp' | 'tc', frame: Buffer): Buffer {
  const { verdict, packet } = answered(hook, frame);
  expect(verdict).toBe('redirect');
  expect(checksumErrors(packet)).toEqual([]);
  return packet;
}

/** Out of the tunnel. */
function taken(family: Family, frame: Buffer): Buffer {
  return Buffer.concat([frame.subarray(0, 14), frame.subarray(family === 'IPv4' ? 34 : 54)]);
}

function inPackets(address: string): bigint {
  const { bytes } = parseAddress(address);
  const found = stage.services().find(({ identity }) => {
    if (identity.kind !== 'address' || identity.protocol !== 'udp' || identity.port !== ports.masq) return false;
    return identity.vip.bytes.join() === bytes.join();
  });
  return found?.counters.inPackets ?? 0n;
}
