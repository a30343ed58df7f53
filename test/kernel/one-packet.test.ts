// One-packet scheduling: a decision for each datagram, and no entries.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Address, parseAddress } from '../../src/model/address.ts';
import type { Method, Service } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, checksumErrors, type Description, extension, flag, fragment, parse, reassemble } from '../packets.ts';
import {
  client,
  destination,
  openStage,
  persistence,
  rip,
  type ServiceFacts,
  type Stage,
  service,
  six,
  vip,
} from './stage.ts';

const families = { IPv4: { vip, client, rip }, IPv6: six } as const;
type Family = keyof typeof families;
const names = Object.keys(families) as Family[];
const methods = ['masq', 'gate', 'tunnel'] as const satisfies readonly Method[];
const hooks = ['xdp', 'tc'] as const;
const realServerPort = 5353;

let stage: Stage;
let before: readonly bigint[] = [];

beforeAll(() => {
  stage = openStage();
});

beforeEach(() => {
  stage.install();
  stage.settle();
  stage.news();
});

afterAll(() => {
  try {
    expect(takeCensus(stage.maps).violations).toEqual([]);
  } finally {
    stage?.[Symbol.dispose]();
  }
});

test.each(hooks)('at %s sums are right with IP options, also after a packet of IPv6 with headers', (hook) => {
  const padding = { type: extension.destination, body: Buffer.from('010400000000', 'hex') };
  serve('IPv4', 'masq');
  stage[hook](query('IPv6', { extensions: [padding] }));
  const { verdict, packet } = stage[hook](query('IPv4', { options: Buffer.from('01010101', 'hex') }));
  expect(verdict).toBe('redirect');
  expect(checksumErrors(packet)).toEqual([]);
});

describe.each(names)('of %s', (family) => {
  const ends = families[family];

  describe.each(hooks)('at %s', (hook) => {
    test.each(methods)('each datagram by %s goes to the next real server', (method) => {
      serve(family, method);
      expect(goals(7, () => stage[hook](query(family)))).toEqual([4, 3, 2, 1, 4, 3, 2]);
      expect(checksumErrors(stage[hook](query(family)).packet)).toEqual([]);
      expect(stage.connections()).toEqual([]);
      expect(counters()).toEqual([8n, 8n, 0n]);
      expect(loads()).toEqual([0, 0, 0, 0]);
    });

    test('masquerading changes what it always changes', () => {
      serve(family, 'masq');
      const [first, second] = [{}, { withoutChecksum: family === 'IPv4' }].map((facts) =>
        parse(stage[hook](query(family, facts)).packet),
      );
      const expected = { source: ends.client, sourcePort: 4001, destinationPort: realServerPort, ttl: 63 };
      expect([first?.ip, second?.ip]).toMatchObject([
        { ...expected, destination: ends.rip(4) },
        { ...expected, destination: ends.rip(3) },
      ]);
    });

    test.each(methods)('all fragments of a datagram by %s go where its first goes', (method) => {
      serve(family, method);
      let sentAll = 0n;
      for (const number of [4, 3]) {
        const frames = fragment(query(family, { payload: Buffer.alloc(5000, 'x') }), 1280, 100 + number);
        const sent: Buffer[] = [];
        sentAll += BigInt(frames.length);
        const went = goals(frames.length, (at) => sent.push(stage[hook](frames[at] ?? Buffer.alloc(0)).packet));
        expect(went).toEqual(frames.map(() => number));
        if (method !== 'tunnel') expect(checksumErrors(reassemble(sent))).toEqual([]);
      }
      expect(counters()).toEqual([2n, sentAll, 0n]);
      expect(stage.connections()).toEqual([]);
    });
  });

  test('what XDP leaves to TC is scheduled there, and not before', () => {
    serve(family, 'gate');
    const refresh = stage.maps.rows('destinations').number('next_hop.refresh');
    const slots = Array.from({ length: stage.maps.rows('destinations').length }, (_, slot) => slot);
    for (const slot of slots) refresh.set(slot, 0);
    const ran: string[] = [];
    expect(goals(6, () => ran.push(stage.walk(query(family)).hook))).toEqual([4, 3, 2, 1, 4, 3]);
    expect(ran).toEqual(['tc', 'tc', 'tc', 'tc', 'xdp', 'xdp']);
    expect(counters()).toEqual([6n, 6n, 0n]);
  });

  test('an answer is not translated', () => {
    serve(family, 'masq');
    stage.walk(query(family));
    const answer = build({
      ...{ source: ends.rip(4), sourcePort: realServerPort, destination: ends.client, destinationPort: 4001 },
      payload: Buffer.from('answer'),
    });
    const { verdict, packet } = stage.walk(answer);
    expect([verdict, packet.equals(answer)]).toEqual(['pass', true]);
  });

  test('a persistent client stays with one real server, by a template alone', () => {
    const mask = family === 'IPv4' ? '255.255.255.0' : 'ffff:ffff::';
    serve(family, 'masq', { persistence: persistence(60, mask) });
    expect(goals(3, (at) => stage.walk(query(family, { sourcePort: 4000 + at })))).toEqual([4, 4, 4]);
    expect(stage.connections()).toMatchObject([{ isTemplate: true, state: 'NONE' }]);
    expect(counters()).toEqual([3n, 3n, 0n]);
  });

  test('a service without real servers answers by ICMP', () => {
    stage.install(service({ vip: ends.vip, protocol: 'udp', port: 53, onePacket: true }));
    const { hook, packet } = stage.walk(query(family));
    expect([hook, parse(packet).ip.icmp?.code]).toEqual(['tc', family === 'IPv4' ? 3 : 4]);
    expect(stage.news()).toMatchObject({ 'no-destination': 1 });
  });

  test('a connection that was there before goes on', () => {
    serve(family, 'masq', { onePacket: false });
    expect(goals(2, () => stage.walk(query(family)))).toEqual([4, 4]);
    stage.install(udpService(family, 'masq'));
    expect(goals(2, () => stage.walk(query(family)))).toEqual([4, 4]);
    expect(goals(2, () => stage.walk(query(family, { sourcePort: 4002 })))).toEqual([3, 2]);
    expect(stage.connections().length).toBe(1);
  });

  test('a trace tells of it', () => {
    serve(family, 'gate');
    const answer = stage.trace({
      protocol: 'udp',
      source: { address: parseAddress(ends.client), port: 4001 },
      target: { address: parseAddress(ends.vip), port: 53 },
    });
    expect(answer).toMatchObject({ verdict: 'forwarded', isOnePacket: true, destination: { method: 'gate' } });
    expect(goals(1, () => stage.walk(query(family)))).toEqual([4]);
  });
});

test('TCP of a mark has its connections', () => {
  stage.install(
    service({ mark: 7, onePacket: true, destinations: [1, 2].map((number) => destination(number, 'gate')) }),
  );
  const of = (facts: Partial<Description>): Buffer =>
    build({ source: client, sourcePort: 4001, destination: '192.0.2.200', destinationPort: 53, ...facts });
  before = counted();
  for (const frame of [of({ flags: flag.syn }), of({}), of({})])
    expect(stage.marked(7, frame).verdict).toBe('redirect');
  expect(stage.connections()).toMatchObject([{ protocol: 'tcp' }]);
  expect(counters()).toEqual([3n, 3n, 0n]);
});

test('full NAT is refused: nobody could take the answers', () => {
  expect(() => serve('IPv4', 'fullnat')).toThrow('one-packet scheduling has none');
});

test('a full table is no obstacle', () => {
  serve('IPv4', 'masq');
  const control = stage.maps.rows('flows').number('control');
  const busy = stage.maps.vocabulary.flowKinds.get('FLOW_BUSY') ?? 0;
  for (let slot = 0; slot < stage.maps.instance.flow_slots; slot++) control.set(slot, busy);
  expect(stage.walk(query('IPv4')).verdict).toBe('redirect');
  stage.settle();
});

/** What `udpService` is, in force, each real server's way known, and rr at its beginning. */
function serve(family: Family, method: Method, facts: ServiceFacts = {}): void {
  stage.install(udpService(family, method, facts));
  for (let sent = 0; sent < 4; sent++) stage.tc(query(family, { sourcePort: 9 }));
  stage.install();
  stage.install(udpService(family, method, facts));
  stage.settle();
  before = counted();
}

/** With one-packet scheduling unless told otherwise; real server 4 is the newest. */
function udpService(family: Family, method: Method, facts: ServiceFacts = {}): Service {
  const ends = families[family];
  const port = method === 'masq' ? realServerPort : 53;
  return service({
    ...{ vip: ends.vip, protocol: 'udp', port: 53, onePacket: true },
    destinations: [4, 3, 2, 1].map((number) =>
      destination(number, method, { rip: parseAddress(ends.rip(number)), port }),
    ),
    ...facts,
  });
}

function query(family: Family, facts: Partial<Description> = {}): Buffer {
  const { client: source, vip: target } = families[family];
  const ends = { source, sourcePort: 4001, destination: target, destinationPort: 53 };
  return build({ ...ends, payload: Buffer.from('question'), ...facts });
}

/** The numbers of the real servers that packets are counted for. */
function goals(count: number, send: (at: number) => void): readonly (number | undefined)[] {
  return Array.from({ length: count }, (_, at) => {
    const known = received();
    send(at);
    const grown = [...received()].filter(([number, packets]) => packets !== known.get(number));
    return grown.length === 1 ? grown[0]?.[0] : undefined;
  });
}

function received(): ReadonlyMap<number, bigint> {
  const all = stage.services().flatMap(({ destinations }) => destinations);
  const numberOf = ({ bytes, family }: Address): number => (bytes.at(-1) ?? 0) % (family === 4 ? 10 : 16);
  return new Map(all.map((one) => [numberOf(one.rip), one.counters.inPackets]));
}

/** Of all services since serve(): connections, packets in and out. */
function counters(): readonly bigint[] {
  return counted().map((count, index) => BigInt.asUintN(64, count - (before[index] ?? 0n)));
}

function counted(): readonly bigint[] {
  const all = stage
    .services()
    .map(({ counters: { connections, inPackets, outPackets } }) => [connections, inPackets, outPackets]);
  return [0, 1, 2].map((index) => all.reduce((sum, one) => sum + (one[index] ?? 0n), 0n));
}

function loads(): readonly number[] {
  return stage
    .services()
    .flatMap(({ destinations }) => destinations.map((one) => one.activeConnections + one.inactiveConnections));
}
