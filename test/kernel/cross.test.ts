// fullnat to a real server of the other family: each header becomes the other's, both ways, and all checksums stay right.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formatTrace } from '../../src/cli/fairlead/trace.ts';
import { tracePacket } from '../../src/dataplane/trace.ts';
import { parseAddress } from '../../src/model/address.ts';
import { takeCensus } from '../invariants.ts';
import {
  build,
  buildIcmpError,
  checksumErrors,
  type Description,
  extension,
  flag,
  fragment,
  parse,
  protocol,
} from '../packets.ts';
import * as stages from './stage.ts';

const { openStage, service, six } = stages;
const { syn, ack, fin } = flag;
const four = { vip: stages.vip, client: stages.client, dip: stages.dip, rip: stages.rip };
const realPort = 8080;
const clientPort = 4001;

type Name = 'IPv4' | 'IPv6';
const families = { IPv4: four, IPv6: six } as const;
const ways = [
  {
    name: 'from IPv4 to IPv6',
    from: 'IPv4',
    to: 'IPv6',
    local: '2001:db8:b::77',
    added: 20,
    /** Towards the client, whose way takes 1500; and real server 9, whose takes 1400. */
    tooBig: { type: 3, code: 4, mtu: 1380 },
    replyTooBig: { type: 2, code: 0, mtu: 1520 },
  },
  {
    name: 'from IPv6 to IPv4',
    from: 'IPv6',
    to: 'IPv4',
    local: '192.0.2.77',
    added: -20,
    tooBig: { type: 2, code: 0, mtu: 1420 },
    replyTooBig: { type: 3, code: 4, mtu: 1480 },
  },
] as const;
type Way = (typeof ways)[number];

const kinds: Readonly<Record<string, Partial<Description>>> = {
  TCP: { flags: syn },
  UDP: {},
  SCTP: { chunks: [{ type: 1, value: Buffer.alloc(16) }] },
};

let stage: stages.Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...ways.flatMap(({ from, to, local }) =>
      (['tcp', 'udp', 'sctp'] as const).flatMap((name) =>
        [1, 9].map((number) =>
          service({
            vip: families[from].vip,
            protocol: name,
            port: number === 1 ? 80 : 90,
            localAddresses: number === 1 ? [local, families[from].dip] : [],
            destinations: [
              stages.destination(number, 'fullnat', { rip: parseAddress(families[to].rip(number)), port: realPort }),
            ],
          }),
        ),
      ),
    ),
  );
  for (const way of ways) {
    for (const kind of Object.keys(kinds)) stage.walk(request(way, kind));
    stage.walk(request(way, 'TCP', { destinationPort: 90 }));
    stage.walk(reply(way, 'TCP', { flags: syn | ack }));
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

function request({ from }: { readonly from: Name }, kind: string, change: Partial<Description> = {}): Buffer {
  const { client: source, vip: destination } = families[from];
  const ends = { source, sourcePort: clientPort, destination, destinationPort: 80 };
  return build({ ...ends, ...kinds[kind], tos: 0x28, dontFragment: true, payload: Buffer.from('hello'), ...change });
}

/** From the real server, to where its connection's packets came from. */
function reply({ to, local }: Way, kind: string, change: Partial<Description> = {}): Buffer {
  const destinationPort = stage.connections().find(({ local: end }) => end?.address.bytes.join() === bytesOf(local))
    ?.local?.port;
  const ends = { source: families[to].rip(1), sourcePort: realPort, destination: local, destinationPort };
  const base = { ...ends, ...kinds[kind], tos: 0x28, dontFragment: true, payload: Buffer.from('a world') };
  return build(Object.assign(base, { destinationPort: destinationPort ?? 1 }, change));
}

function bytesOf(address: string): string {
  return parseAddress(address).bytes.join();
}

/** What leaves at TC, which XDP leaves all of it to. */
function sent(frame: Buffer): ReturnType<typeof parse> {
  const { hook, verdict, packet } = stage.walk(frame);
  expect([hook, verdict]).toEqual(['tc', 'redirect']);
  expect(checksumErrors(packet)).toEqual([]);
  return parse(packet);
}

describe.each(ways)('$name', (way) => {
  const { from, to, local, added } = way;
  const [client, server] = [families[from], families[to]];

  describe.each(Object.keys(kinds))('%s', (kind) => {
    test('goes to the real server from a local address of its family, and back', () => {
      const there = parse(request(way, kind)).ip;
      const { ip, etherType } = sent(request(way, kind));
      expect(etherType).toBe(to === 'IPv4' ? 0x0800 : 0x86dd);
      expect(ip).toMatchObject({ source: local, destination: server.rip(1), destinationPort: realPort });
      expect(ip).toMatchObject({ ttl: 63, tos: 0x28, totalLength: there.totalLength + added });
      expect(ip.payload).toEqual(there.payload);
      const back = parse(reply(way, kind)).ip;
      const answer = sent(reply(way, kind)).ip;
      expect(answer).toMatchObject({ source: client.vip, sourcePort: 80, destination: client.client });
      expect(answer).toMatchObject({ destinationPort: clientPort, ttl: 63, totalLength: back.totalLength - added });
      expect(answer.payload).toEqual(back.payload);
      expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
      expect(stage.news()).toMatchObject({ 'to-tc': 2 });
    });

    test('that a device has summed up stays right', () => {
      const complete = 4; // BPF_F_TEST_SKB_CHECKSUM_COMPLETE: the kernel compares them after the run
      for (const make of [request, reply] as const) {
        const { verdict, packet } = stage.tc(make(way, kind), { flags: complete });
        expect(verdict).toBe('redirect');
        expect(checksumErrors(packet)).toEqual([]);
      }
    });

    test('without what only its own family has: options, extension headers', () => {
      const extra: Partial<Description> =
        from === 'IPv4'
          ? { options: Buffer.from([1, 1, 1, 0]) }
          : { extensions: [{ type: extension.destination, body: Buffer.from([1, 4, 0, 0, 0, 0]) }] };
      const plain = sent(request(way, kind)).ip;
      const { ip } = sent(request(way, kind, extra));
      expect(ip).toMatchObject({ source: local, destination: server.rip(1), totalLength: plain.totalLength });
      expect(ip.payload).toEqual(plain.payload);
      expect(ip.extensions ?? []).toEqual([]);
    });
  });

  test('a connection goes through its states, and is listed with both families', () => {
    sent(request(way, 'TCP'));
    sent(reply(way, 'TCP', { flags: syn | ack }));
    sent(request(way, 'TCP', { flags: ack }));
    expect(stage.connections()).toMatchObject([
      {
        state: 'ESTABLISHED',
        method: 'fullnat',
        client: { address: parseAddress(client.client), port: clientPort },
        virtual: { address: parseAddress(client.vip), port: 80 },
        local: { address: parseAddress(local) },
        destination: { address: parseAddress(server.rip(1)), port: realPort },
      },
    ]);
    sent(reply(way, 'TCP', { flags: fin | ack }));
    sent(request(way, 'TCP', { flags: fin | ack }));
    expect(stage.connections()).toMatchObject([{ state: 'TIME_WAIT' }]);
    expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
  });

  test('counts what came', () => {
    sent(request(way, 'UDP'));
    sent(reply(way, 'UDP'));
    const found = stage.services().find(({ counters }) => counters.inPackets > 0n);
    const size = (frame: Buffer): bigint => BigInt(parse(frame).ip.totalLength);
    expect(found?.counters).toMatchObject({
      connections: 1n,
      inPackets: 1n,
      inBytes: size(request(way, 'UDP')),
      outPackets: 1n,
      outBytes: size(reply(way, 'UDP')),
    });
  });

  test('without a local address of the other family the director has one', () => {
    const { ip } = sent(request(way, 'TCP', { destinationPort: 90 }));
    expect(ip).toMatchObject({ source: server.dip, destination: server.rip(9) });
  });

  test('what is too large for the way there is told what fits, in its own family', () => {
    const make = (length: number): Buffer =>
      request(way, 'TCP', { destinationPort: 90, flags: ack, payload: Buffer.alloc(length) });
    sent(request(way, 'TCP', { destinationPort: 90 }));
    const fits = way.tooBig.mtu - parse(make(0)).ip.totalLength;
    expect(sent(make(fits)).ip.totalLength).toBe(1400);
    const { ip } = sent(make(fits + 1));
    expect(ip).toMatchObject({ source: client.vip, destination: client.client, icmp: way.tooBig });
    expect(stage.news()).toMatchObject({ 'too-big': 1 });
  });

  test('and so is what is too large for the way back', () => {
    sent(request(way, 'TCP'));
    const make = (length: number): Buffer => reply(way, 'TCP', { flags: ack, payload: Buffer.alloc(length) });
    const fits = way.replyTooBig.mtu - parse(make(0)).ip.totalLength;
    expect(sent(make(fits)).ip.totalLength).toBe(1500);
    const { ip } = sent(make(fits + 1));
    expect(ip).toMatchObject({ source: server.dip, destination: server.rip(1), icmp: way.replyTooBig });
  });

  test('at its end of life it is answered in its own family', () => {
    expect(sent(request(way, 'TCP', { ttl: 1 })).ip).toMatchObject({ source: client.vip, destination: client.client });
    expect(stage.news()).toMatchObject({ 'ttl-exceeded': 1 });
  });

  test('fragments are refused under their own reason', () => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = fragment(
      request(way, 'UDP', { payload: Buffer.alloc(600) }),
      400,
    );
    expect(stage.walk(first).verdict).toBe('drop');
    expect(takeCensus(stage.maps)).toEqual({ connections: 0, replies: 0, violations: [] });
    sent(request(way, 'UDP'));
    for (const piece of [first, second]) expect(stage.walk(piece).verdict).toBe('drop');
    expect(stage.news()).toMatchObject({ 'not-translatable': 3 });
  });

  test.each([
    ['a port that is closed', { IPv4: { type: 3, code: 3 }, IPv6: { type: 1, code: 4 } }],
    ['a host that is not there', { IPv4: { type: 3, code: 1 }, IPv6: { type: 1, code: 0 } }],
    ['a filter', { IPv4: { type: 3, code: 10 }, IPv6: { type: 1, code: 1 } }],
    ['an end of life', { IPv4: { type: 11, code: 0 }, IPv6: { type: 3, code: 0 } }],
    ['a packet too big', { IPv4: { type: 3, code: 4, mtu: 1300 }, IPv6: { type: 2, code: 0, mtu: 1320 } }],
    ['an unknown protocol', { IPv4: { type: 3, code: 2 }, IPv6: { type: 4, code: 1, mtu: 6 } }],
  ])('an ICMP error about %s is told in the words of the other family, both ways', (_, words) => {
    const there = sent(request(way, 'UDP'));
    const toClient = stage.walk(request(way, 'UDP')).packet;
    const told = icmp(to, { source: server.rip(1), destination: local }, words[to], toClient.subarray(14));
    const { ip } = sentRelated(told);
    expect(ip).toMatchObject({ source: client.vip, destination: client.client, ttl: 63 });
    expect(ip.icmp).toMatchObject({ mtu: 0, ...words[from] });
    expect(ip.inner).toMatchObject({
      source: client.client,
      sourcePort: clientPort,
      destination: client.vip,
      destinationPort: 80,
      ttl: 63,
      payload: Buffer.from('hello'),
    });
    const back = stage.walk(reply(way, 'UDP')).packet;
    const toServer = icmp(from, { source: client.client, destination: client.vip }, words[from], back.subarray(14));
    const answer = sentRelated(toServer).ip;
    expect(answer).toMatchObject({ source: local, destination: server.rip(1) });
    expect(answer.icmp).toMatchObject({ mtu: 0, ...words[to] });
    expect(answer.inner).toMatchObject({
      source: server.rip(1),
      sourcePort: realPort,
      destination: local,
      destinationPort: there.ip.sourcePort,
      payload: Buffer.from('a world'),
    });
  });

  test('an ICMP error that is damaged, or that the other family has no words for, is dropped', () => {
    const quoted = stage.walk(request(way, 'UDP')).packet.subarray(14);
    const ends = { source: server.rip(1), destination: local };
    const damaged = icmp(to, ends, to === 'IPv4' ? { type: 3, code: 3 } : { type: 1, code: 4 }, quoted);
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 1) ^ 1, damaged.length - 1);
    expect(stage.walk(damaged).verdict).toBe('drop');
    const foreign = icmp(to, ends, to === 'IPv4' ? { type: 4, code: 0 } : { type: 1, code: 5 }, quoted);
    expect(stage.walk(foreign).verdict).toBe('drop');
    expect(stage.news()).toMatchObject({ malformed: 1, 'not-translatable': 1 });
  });

  test('a persistent client keeps its real server', () => {
    const mask = from === 'IPv4' ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
    const destinations = [1, 2].map((number) =>
      stages.destination(number, 'fullnat', { rip: parseAddress(server.rip(number)), port: realPort }),
    );
    const before = stage.services();
    stage.install(service({ vip: client.vip, persistence: stages.persistence(60, mask), destinations }));
    const targets = [1, 2, 3].map((index) => sent(request(way, 'TCP', { sourcePort: 5000 + index })).ip.destination);
    expect(new Set(targets).size).toBe(1);
    expect(takeCensus(stage.maps)).toMatchObject({ replies: 3, violations: [] });
    stage.install(...before);
  });

  test('a trace tells both families', () => {
    const end = (address: string, port: number) => ({ address: parseAddress(address), port });
    const question = { protocol: 'tcp', source: end(client.client, clientPort), target: end(client.vip, 80) } as const;
    const explain = () => stage.run(() => formatTrace(question, tracePacket(stage.maps, question), new Map()));
    const bracketed = (address: string) => (address.includes(':') ? `[${address}]` : address);
    const rewrite = new RegExp(
      `rewrite +${escaped(bracketed(local))}:[0-9]+ -> ${escaped(bracketed(server.rip(1)))}:${realPort}\n`,
    );
    const asked = explain();
    expect(asked).toMatch(rewrite);
    expect(asked).toMatch(/verdict +forwarded\n$/);
    expect(takeCensus(stage.maps)).toEqual({ connections: 0, replies: 0, violations: [] });
    sent(request(way, 'TCP'));
    expect(explain()).toMatch(rewrite);
  });
});

test('a datagram without a checksum gets one from IPv4 to IPv6, and none is added the other way', () => {
  const [fourToSix, sixToFour] = ways;
  for (const payload of ['', 'x', 'odd', 'x'.repeat(1400)]) {
    const { ip } = sent(request(fourToSix, 'UDP', { withoutChecksum: true, payload: Buffer.from(payload) }));
    expect(ip.checksum).not.toBe(0);
  }
  sent(request(sixToFour, 'UDP'));
  const frame = reply(sixToFour, 'UDP', { withoutChecksum: true });
  expect(sent(frame).ip.checksum).not.toBe(0);
  const { verdict, packet } = stage.tc(reply(sixToFour, 'UDP', { withoutChecksum: true }), { flags: 4 });
  expect(verdict).toBe('redirect');
  expect(checksumErrors(packet)).toEqual([]);
});

test('DF is set from IPv6 where the packet is larger than any path must take', () => {
  const [, way] = ways;
  const df = (size: number): boolean => sent(request(way, 'UDP', { payload: Buffer.alloc(size - 48) })).ip.dontFragment;
  expect([df(1280), df(1281)]).toEqual([false, true]);
});

function escaped(text: string): string {
  return text.replaceAll(/[.[\]]/g, '\\$&');
}

function icmp(
  family: Name,
  ends: { readonly source: string; readonly destination: string },
  error: { readonly type: number; readonly code: number; readonly mtu?: number },
  quoted: Uint8Array,
): Buffer {
  const number = family === 'IPv6' ? protocol.icmp6 : protocol.icmp;
  return build({ ...ends, protocol: number, body: buildIcmpError({ ...error, ...ends, quoted }) });
}

/** The quoted layer 4's checksum may be cut off, and is left as it was. */
function sentRelated(frame: Buffer): ReturnType<typeof parse> {
  const { hook, verdict, packet } = stage.walk(frame);
  expect([hook, verdict]).toEqual(['tc', 'redirect']);
  expect(checksumErrors(packet).filter((error) => !error.endsWith('quoted layer 4'))).toEqual([]);
  return parse(packet);
}
