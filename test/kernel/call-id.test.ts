// --pe sip: datagrams with one Call-ID go to one real server, and what a real server sends by itself leaves as its service's.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BpfMap } from '../../src/kernel/map.ts';
import { parseAddress } from '../../src/model/address.ts';
import type { Connection } from '../../src/model/director.ts';
import type { Method, Service } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, checksumErrors, type Description, fragment, parse, protocol, reassemble } from '../packets.ts';
import { client, destination, openStage, persistence, rip, type Stage, service, six, vip } from './stage.ts';
import { until } from './until.ts';

const families = {
  IPv4: { vip, client, other: '203.0.113.6', rip, anybody: '0.0.0.0' },
  IPv6: { ...six, other: '2001:db8:c::6', anybody: '::' },
} as const;
type Family = keyof typeof families;

let stage: Stage;

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

describe.each(Object.keys(families) as Family[])('of %s', (family) => {
  const ends = families[family];

  test.each(['masq', 'gate', 'tunnel'] as const)(
    'a call is one real server’s, whoever sends its datagrams, by %s',
    (method) => {
      stage.install(sip(family, method));
      const went = ['one', 'two', 'one', 'three', 'two', 'one'].map((id, index) =>
        goal(() => stage.walk(message(family, `Call-ID: ${id}`, index % 2 ? {} : { source: ends.other }))),
      );
      expect(went).toEqual([2, 1, 2, 2, 1, 2]);
      expect(calls()).toEqual(['one', 'three', 'two']);
      expect(stage.connections()).toMatchObject([{ isTemplate: true }, { isTemplate: true }, { isTemplate: true }]);
    },
  );

  test('of clients under a mask that tells them apart, each has calls of its own', () => {
    stage.install(
      sip(family, 'gate', {
        persistence: persistence(60, family === 'IPv4' ? undefined : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'),
      }),
    );
    expect(goal(() => stage.walk(message(family, 'i: one')))).toBe(2);
    expect(goal(() => stage.walk(message(family, 'i: one', { source: ends.other })))).toBe(1);
    expect(goal(() => stage.walk(message(family, 'i: one')))).toBe(2);
    expect(stage.connections().map(({ client: { address }, engine }) => [address, engine?.data])).toEqual(
      expect.arrayContaining([ends.client, ends.other].map((address) => [parseAddress(address), 'one'])),
    );
  });

  test('with entries, only what begins a connection is read', () => {
    stage.install(sip(family, 'masq', { onePacket: false }));
    expect(goal(() => stage.walk(message(family, 'i: one')))).toBe(2);
    expect(goal(() => stage.walk(message(family, 'nothing')))).toBe(2);
    expect(stage.connections().map(({ isTemplate }) => isTemplate ?? false)).toContain(false);
  });

  test('what is no SIP message is dropped', () => {
    stage.install(sip(family, 'gate'));
    expect(stage.walk(message(family, 'From: somebody')).verdict).toBe('drop');
    expect(stage.walk(message(family, 'i: one', { protocol: protocol.udp, payload: Buffer.alloc(0) })).verdict).toBe(
      'drop',
    );
    expect(stage.news()).toEqual({ 'no-call-id': 2 });
    expect(stage.connections()).toEqual([]);
  });

  test('of a fragmented message the first fragment tells', () => {
    stage.install(sip(family, 'masq'));
    const frame = message(family, 'i: one', { payload: Buffer.from(`x\r\ni: one\r\n${'y'.repeat(3000)}`) });
    const sent = fragment(frame, 1280, 7).map((part) => stage.walk(part).packet);
    expect(checksumErrors(reassemble(sent))).toEqual([]);
    expect(calls()).toEqual(['one']);
  });

  test('a real server’s own datagram leaves as the service’s, and takes the call', () => {
    stage.install(sip(family, 'masq'));
    expect(goal(() => stage.walk(message(family, 'i: one')))).toBe(2);
    const { verdict, packet } = stage.walk(own(family, 1, 'i: one'));
    expect([verdict, checksumErrors(packet)]).toEqual(['redirect', []]);
    expect(parse(packet).ip).toMatchObject({
      source: ends.vip,
      sourcePort: 5060,
      destination: ends.client,
      destinationPort: 4001,
    });
    expect(goal(() => stage.walk(message(family, 'i: one')))).toBe(1);
    expect(stage.walk(own(family, 1, 'nothing')).verdict).toBe('pass');
    expect(stage.walk(own(family, 1, 'i: one', { sourcePort: 5081 })).verdict).toBe('pass');
    expect(stage.services()[0]?.counters).toMatchObject({ inPackets: 2n, outPackets: 1n, connections: 3n });
  });

  test('with entries it begins a connection, by which the answer comes back', () => {
    stage.install(sip(family, 'masq', { onePacket: false, persistence: undefined }));
    expect(parse(stage.walk(own(family, 1, 'hello')).packet).ip).toMatchObject({ source: ends.vip, sourcePort: 5060 });
    expect(goal(() => stage.walk(message(family, 'hello')))).toBe(1);
    expect(parse(stage.walk(own(family, 1, 'again')).packet).ip).toMatchObject({ source: ends.vip });
    expect(stage.connections()).toMatchObject([{ state: 'UDP', virtual: { port: 5060 }, destination: { port: 5080 } }]);
    // The receiver's connection is another's: then there is no second one.
    expect(parse(stage.walk(own(family, 2, 'mine')).packet).ip).toMatchObject({ source: ends.vip, sourcePort: 5060 });
    expect(goal(() => stage.walk(message(family, 'hello')))).toBe(1);
    expect(stage.connections().length).toBe(1);
  });
});

test('what a template is for goes with it', async () => {
  stage.install(sip('IPv4', 'gate', { persistence: persistence(1, '0.0.0.0') }));
  stage.walk(message('IPv4', 'i: soon-gone'));
  expect([calls(), isRemembered('soon-gone')]).toEqual([['soon-gone'], true]);
  await until(() => stage.connections().length === 0);
  expect(isRemembered('soon-gone')).toBe(false);
});

test('of UDP alone: other protocols of a mark are dropped', () => {
  const destinations = [destination(1, 'gate')];
  stage.install(service({ mark: 7, persistence: persistence(60), persistenceEngine: 'sip', destinations }));
  const ends = { source: client, sourcePort: 4001, destination: '192.0.2.200', destinationPort: 5060 };
  expect(stage.marked(7, build({ ...ends, flags: 2 })).verdict).toBe('drop');
  expect(stage.marked(7, build({ ...ends, payload: Buffer.from('x\ni: one\n') })).verdict).toBe('redirect');
  expect(stage.connections().find(({ isTemplate }) => isTemplate)).toMatchObject({
    ...{ protocol: 'ip', engine: { name: 'sip', data: 'one' } },
    virtual: { address: parseAddress('0.0.0.7'), port: 0 },
  });
});

test('the engine is kept with its service', () => {
  const services = [sip('IPv4', 'gate'), sip('IPv6', 'gate', { persistenceEngine: undefined })];
  stage.install(...services);
  expect(stage.services().map(({ persistenceEngine }) => persistenceEngine)).toEqual(['sip', undefined]);
});

/** One-packet scheduling, and persistence of all clients, unless told otherwise; real server 2 is the newer. */
function sip(
  family: Family,
  method: Method,
  facts: { readonly [Name in keyof Service]?: Service[Name] | undefined } = {},
): Service {
  const ends = families[family];
  const {
    persistence: lasting,
    persistenceEngine,
    ...others
  } = {
    persistence: persistence(60, ends.anybody),
    persistenceEngine: 'sip',
    ...facts,
  };
  return service({
    ...{ vip: ends.vip, protocol: 'udp', port: 5060, onePacket: true },
    destinations: [2, 1].map((number) =>
      destination(number, method, { rip: parseAddress(ends.rip(number)), port: method === 'masq' ? 5080 : 5060 }),
    ),
    ...(lasting && { persistence: lasting }),
    ...(persistenceEngine && { persistenceEngine }),
    ...(others as Partial<Omit<Service, 'identity' | 'localAddresses'>>),
  });
}

function message(family: Family, header: string, facts: Partial<Description> = {}): Buffer {
  const { client: source, vip: target } = families[family];
  const ends = { source, sourcePort: 4001, destination: target, destinationPort: 5060 };
  return build({
    ...ends,
    payload: Buffer.from(`OPTIONS sip:a SIP/2.0\r\n${header}\r\nContent-Length: 0\r\n\r\n`),
    ...facts,
  });
}

/** From a real server to the client. */
function own(family: Family, number: number, header: string, facts: Partial<Description> = {}): Buffer {
  const { client: target, rip: of } = families[family];
  const ends = { source: of(number), sourcePort: 5080, destination: target, destinationPort: 4001 };
  return message(family, header, { ...ends, ...facts });
}

function goal(send: () => void): number | undefined {
  const received = (): readonly bigint[] =>
    stage.services().flatMap(({ destinations }) => destinations.map(({ counters }) => counters.inPackets));
  const before = received();
  send();
  const grown = received().findIndex((count, index) => count !== before[index]);
  return [2, 1][grown];
}

function calls(): readonly (string | undefined)[] {
  return stage
    .connections()
    .flatMap(({ engine }: Connection) => (engine ? [engine.data] : []))
    .sort();
}

function isRemembered(text: string): boolean {
  const id = stage.maps.map('call_id_tables').lookup(Buffer.alloc(4))?.readUInt32LE(0) ?? 0;
  using table = BpfMap.openById(id);
  return [...(table?.entries() ?? [])].some(([, value]) => value.includes(text));
}
