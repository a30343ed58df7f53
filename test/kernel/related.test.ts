// ICMP errors about packets of connections: translated or forwarded to whoever sent the packet, or left to the kernel.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { Method } from '../../src/model/service.ts';
import { build, buildIcmpError, buildIp, checksumErrors, type Description, flag, parse, protocol } from '../packets.ts';
import { client, destination, dip, openStage, rip, type Stage, service, six, vip } from './stage.ts';

const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const realServerPort = 8080;
const families = {
  IPv4: { vip, client, rip, dip, local: '192.0.2.77', router: '203.0.113.250', inner: '192.0.2.253' },
  IPv6: { ...six, local: '2001:db8:b::77', router: '2001:db8:c::fe', inner: '2001:db8:b::fd' },
} as const;
type Family = keyof typeof families;
const names = Object.keys(families) as Family[];
const clientPort = 4001;

/** What an error is told about, in each protocol. */
const kinds: Readonly<Record<string, Partial<Description>>> = {
  TCP: { flags: flag.syn },
  UDP: {},
  SCTP: { chunks: [{ type: 1, value: Buffer.alloc(16) }] },
};
type Message = readonly [name: string, error: { readonly type: number; readonly code: number; readonly mtu?: number }];
const errors: Readonly<Record<Family, readonly Message[]>> = {
  IPv4: [
    ['destination unreachable', { type: 3, code: 3 }],
    ['fragmentation needed', { type: 3, code: 4, mtu: 1300 }],
    ['source quench', { type: 4, code: 0 }],
    ['time exceeded', { type: 11, code: 0 }],
  ],
  IPv6: [
    ['destination unreachable', { type: 1, code: 4 }],
    ['packet too big', { type: 2, code: 0, mtu: 1300 }],
    ['time exceeded', { type: 3, code: 0 }],
    ['parameter problem', { type: 4, code: 1 }],
  ],
};

let stage: Stage;

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
    service({ protocol: 'udp', port: 90, destinations: [destination(2, 'tunnel', { port: 90 })] }),
  );
  for (const method of methods) {
    for (const family of names) for (const kind of Object.keys(kinds)) stage.walk(request(method, kind, family));
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(names.flatMap((family) => Object.keys(kinds).map((kind) => [family, kind] as const)))(
  'of %s, about %s',
  (family, kind) => {
    const { vip: own, client: peer, rip: realServer, dip: director, local, router, inner } = families[family];

    describe.each(errors[family])('%s', (_, error) => {
      test("from the client's side by masq goes to the real server, about what that sent", () => {
        stage.walk(request('masq', kind, family));
        const { ip } = sent(icmp({ source: router, destination: own }, error, reply('masq', kind, {}, family)));
        expect(ip).toMatchObject({ source: router, destination: realServer(1), ttl: 63, icmp: { mtu: 0, ...error } });
        expect(ip.inner).toMatchObject({
          source: realServer(1),
          sourcePort: realServerPort,
          destination: peer,
          destinationPort: clientPort,
        });
      });

      test("from the real server's side by masq goes to the client, from the VIP", () => {
        const quoted = stage.walk(request('masq', kind, family)).packet.subarray(14);
        for (const source of [realServer(1), inner]) {
          const { ip } = sent(icmp({ source, destination: peer }, error, quoted));
          expect(ip).toMatchObject({ source: own, destination: peer, ttl: 63, icmp: { mtu: 0, ...error } });
          expect(ip.inner).toMatchObject({
            source: peer,
            sourcePort: clientPort,
            destination: own,
            destinationPort: ports.masq,
          });
        }
      });

      test('by fullnat is translated both ways', () => {
        const { packet } = stage.walk(request('fullnat', kind, family));
        const toRealServer = parse(packet).ip;
        const down = sent(icmp({ source: peer, destination: own }, error, reply('fullnat', kind, {}, family))).ip;
        expect(down).toMatchObject({ source: local, destination: realServer(1), icmp: { mtu: 0, ...error } });
        expect(down.inner).toMatchObject({
          source: realServer(1),
          sourcePort: realServerPort,
          destination: local,
          destinationPort: toRealServer.sourcePort,
        });
        const up = sent(icmp({ source: realServer(1), destination: local }, error, packet.subarray(14))).ip;
        expect(up).toMatchObject({ source: own, destination: peer, icmp: { mtu: 0, ...error } });
        expect(up.inner).toMatchObject({
          source: peer,
          sourcePort: clientPort,
          destination: own,
          destinationPort: ports.fullnat,
        });
      });

      test("from the client's side by gate and tunnel goes to the connection's real server as it is", () => {
        for (const method of ['gate', 'tunnel'] as const) {
          stage.walk(request(method, kind, family));
          const frame = icmp({ source: router, destination: own }, error, reply(method, kind, {}, family));
          const { ip } = sent(frame);
          if (method === 'tunnel') expect(ip).toMatchObject({ source: director, destination: realServer(1) });
          const message = method === 'tunnel' ? ip.inner : ip;
          expect(message).toMatchObject({ source: router, destination: own, ttl: 63 });
          expect(message?.payload.equals(parse(frame).ip.payload)).toBe(true);
        }
      });
    });
  },
);

test('a quote that is cut to 8 bytes of layer 4 is enough, and its layer 4 checksum stays as it was', () => {
  stage.walk(request('masq', 'UDP'));
  const quoted = reply('masq', 'UDP').subarray(0, 28);
  const { ip } = sent(icmp({ source: client, destination: vip }, { type: 3, code: 3 }, quoted));
  expect(ip.inner).toMatchObject({ source: rip(1), sourcePort: realServerPort, checksum: quoted.readUInt16BE(26) });
  expect(ip.totalLength).toBe(20 + 8 + 28);
});

test('a quote with IP options is read', () => {
  stage.walk(request('masq', 'UDP'));
  const quoted = reply('masq', 'UDP', { options: Buffer.from([1, 1, 1, 0]) });
  const { ip } = sent(icmp({ source: client, destination: vip }, { type: 3, code: 3 }, quoted));
  expect(ip.inner).toMatchObject({ source: rip(1), sourcePort: realServerPort });
});

test('counts as a packet of the connection', () => {
  stage.walk(request('masq', 'UDP'));
  const before = countersOf();
  const down = icmp({ source: client, destination: vip }, { type: 3, code: 3 }, reply('masq', 'UDP'));
  sent(down);
  sent(
    icmp(
      { source: rip(1), destination: client },
      { type: 3, code: 3 },
      stage.walk(request('masq', 'UDP')).packet.subarray(14),
    ),
  );
  const after = countersOf();
  expect(after.inPackets - before.inPackets).toBe(2n);
  expect(after.outPackets - before.outPackets).toBe(1n);
  expect(after.outBytes - before.outBytes).toBe(BigInt(parse(down).ip.totalLength));
});

describe('is left to the kernel, untouched,', () => {
  test.each<[string, () => Buffer]>([
    ['an echo to the VIP', () => icmp(toVip, { type: 8, code: 0 }, reply('masq', 'UDP'))],
    ['a redirect', () => icmp(toVip, { type: 5, code: 1 }, reply('masq', 'UDP'))],
    ['an error about no connection', () => icmp(toVip, unreachable, reply('masq', 'UDP', { destinationPort: 9 }))],
    [
      'one for another than who sent what it quotes',
      () => icmp({ source: client, destination: dip }, unreachable, reply('masq', 'UDP')),
    ],
    ['one about a later fragment', () => icmp(toVip, unreachable, reply('masq', 'UDP', { fragmentOffset: 8 }))],
    ['one whose quote has a short header', () => icmp(toVip, unreachable, reply('masq', 'UDP', { headerLength: 4 }))],
    [
      'one whose quote says to have a longer header',
      () => icmp(toVip, unreachable, reply('masq', 'UDP', { headerLength: 15 }).subarray(0, 28)),
    ],
    ['one whose quote is of another IP version', () => icmp(toVip, unreachable, reply('masq', 'UDP', { version: 6 }))],
    ['one whose quote is of another protocol', () => icmp(toVip, unreachable, reply('masq', 'UDP', { protocol: 99 }))],
    ['a fragment of one', () => icmp(toVip, unreachable, reply('masq', 'UDP'), { moreFragments: true })],
  ])('%s', (_, make) => {
    stage.walk(request('masq', 'UDP'));
    stage.news();
    const frame = make();
    const answer = stage.walk(frame);
    expect([answer.verdict, answer.packet.equals(frame), stage.news()]).toEqual(['pass', true, {}]);
  });

  test('one that is cut anywhere', () => {
    stage.walk(request('masq', 'UDP'));
    const quoted = reply('masq', 'UDP');
    for (let length = 0; length < 24; length++) {
      const frame = icmp(toVip, unreachable, quoted.subarray(0, length));
      const answer = stage.walk(frame);
      expect([length, answer.verdict, answer.packet.equals(frame)]).toEqual([length, 'pass', true]);
    }
    const whole = icmp(toVip, unreachable, quoted);
    for (let length = 34; length < whole.length; length++) {
      expect([length, stage.tc(Buffer.from(whole.subarray(0, length))).verdict]).toEqual([length, 'pass']);
    }
  });
});

test.each([1, 0])('with a TTL of %s is dropped, and nobody is told', (ttl) => {
  stage.walk(request('masq', 'UDP'));
  stage.news();
  expect(stage.tc(icmp(toVip, unreachable, reply('masq', 'UDP'), { ttl })).verdict).toBe('drop');
  expect(stage.news()).toEqual({ 'ttl-exceeded': 1 });
});

describe('about a packet of our own tunnel', () => {
  const big = { payload: Buffer.alloc(1200, 'x') } as const;
  const fromPath = (
    error: { type: number; code: number; mtu?: number },
    change: Partial<Description> = {},
    cut = 576,
  ): Buffer => {
    const { packet } = stage.walk(build({ ...ends(90), ...change }));
    return icmp({ source: '192.0.2.253', destination: dip }, error, packet.subarray(14, 14 + cut - 28));
  };
  const ends = (port: number): Description => ({
    source: client,
    sourcePort: clientPort,
    destination: vip,
    destinationPort: port,
    ttl: 61,
  });

  beforeAll(() => void stage.walk(build(ends(90))));

  test('becomes one about the packet in it, from the VIP to the client', () => {
    const frame = fromPath({ type: 3, code: 1 }, { payload: Buffer.from('some') });
    const { ip } = sent(frame);
    expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 3, code: 1, mtu: 0 } });
    expect(ip.inner).toMatchObject({ ...ends(90), ttl: 60, payload: Buffer.from('some') });
    expect(stage.news()).toEqual({});
  });

  test('that is too big for a router tells the MTU, without the tunnel header, to a client that asks by DF', () => {
    const { ip } = sent(fromPath({ type: 3, code: 4, mtu: 1100 }, { ...big, dontFragment: true }));
    expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 3, code: 4, mtu: 1080 } });
    expect(stage.news()).toEqual({ 'path-mtu': 1 });
    const next = stage.walk(build({ ...ends(90), ...big, dontFragment: true }));
    expect(parse(next.packet).ip.icmp).toEqual({ type: 3, code: 4, mtu: 1080 });
    expect(stage.news()).toMatchObject({ 'too-big': 1 });
  });

  test('that is too big for a router ends here, counted, when the client asks for nothing', () => {
    const frame = fromPath({ type: 3, code: 4, mtu: 1050 }, big);
    stage.news();
    expect(stage.tc(frame).verdict).toBe('drop');
    expect(stage.news()).toEqual({ 'path-mtu': 1, 'tunnel-error': 1 });
  });

  test('is not learned from when it tells more than is known, or is damaged, or is about none of our packets', () => {
    stage.install(service({ protocol: 'udp', port: 90, destinations: [destination(3, 'tunnel', { port: 90 })] }));
    stage.walk(build(ends(90)));
    stage.walk(build(ends(90)));
    const frame = (mtu: number): Buffer => fromPath({ type: 3, code: 4, mtu }, { ...big, dontFragment: true });
    stage.news();
    expect(sent(frame(1600)).ip.icmp).toEqual({ type: 3, code: 4, mtu: 1480 });
    const damaged = frame(1000);
    damaged.writeUInt8(damaged.readUInt8(100) ^ 1, 100);
    expect(stage.tc(damaged).verdict).toBe('drop');
    const foreign = frame(1000);
    foreign.writeUInt8(foreign.readUInt8(14 + 28 + 19) ^ 1, 14 + 28 + 19);
    expect(stage.tc(foreign).verdict).toBe('pass');
    expect(stage.news()).toEqual({ malformed: 1 });
  });
});

const toVip = { source: client, destination: vip } as const;
const unreachable = { type: 3, code: 3 } as const;

function isTranslated(method: Method): boolean {
  return method === 'masq' || method === 'fullnat';
}

function request(method: Method, kind: string, family: Family = 'IPv4'): Buffer {
  const { client: source, vip: to } = families[family];
  const ends = { source, sourcePort: clientPort, destination: to, destinationPort: ports[method] };
  return build({ ...ends, ...kinds[kind], id: 77, payload: Buffer.from('hello') });
}

/** From the VIP, as the client has it: from its IP header on. */
function reply(method: Method, kind: string, change: Partial<Description> = {}, family: Family = 'IPv4'): Buffer {
  const { client: to, vip: source } = families[family];
  const ends = { source, sourcePort: ports[method], destination: to, destinationPort: clientPort };
  return buildIp({ ...ends, ...kinds[kind], payload: Buffer.from('world'), ...change });
}

function icmp(
  ends: { source: string; destination: string },
  error: { type: number; code: number; mtu?: number },
  quoted: Uint8Array,
  change: Partial<Description> = {},
): Buffer {
  const number = ends.source.includes(':') ? protocol.icmp6 : protocol.icmp;
  return build({ ...ends, protocol: number, body: buildIcmpError({ ...error, ...ends, quoted }), ...change });
}

/** XDP leaves it to TC, untouched; what TC sends has right checksums but for the quoted layer 4's, as in IPVS. */
function sent(frame: Buffer): ReturnType<typeof parse> {
  const { hook, verdict, packet } = stage.walk(frame);
  expect([hook, verdict]).toEqual(['tc', 'redirect']);
  expect(checksumErrors(packet).filter((error) => !error.endsWith('quoted layer 4'))).toEqual([]);
  return parse(packet);
}

function countersOf(): ReturnType<Stage['services']>[number]['counters'] {
  const found = stage
    .services()
    .find(({ identity }) => identity.kind === 'address' && identity.protocol === 'udp' && identity.port === ports.masq);
  if (found === undefined) throw new Error('there is no service');
  return found.counters;
}
