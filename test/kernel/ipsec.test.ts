// AH and ESP: they follow the client's key exchange, or are scheduled by a mark; and the exchange's two ports go together.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { equalAddresses, formatAddress, formatEndpoint, parseAddress } from '../../src/model/address.ts';
import type { Destination, Method } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, buildIcmpError, checksumErrors, type IpPacket, parse, protocol } from '../packets.ts';
import { client, destination, dip, openStage, persistence, rip, type Stage, service, six, vip } from './stage.ts';

const families = {
  IPv4: { family: 4, vip, client, rip, dip, other: '203.0.113.6', local: '192.0.2.77' },
  IPv6: {
    family: 6,
    vip: six.vip,
    client: six.client,
    rip: six.rip,
    dip: six.dip,
    other: '2001:db8:c::6',
    local: '2001:db8:b::77',
  },
} as const;
type Ends = (typeof families)[keyof typeof families];
const portless = ['esp', 'ah'] as const;
const body = Buffer.from('00001234000000010102030405060708090a0b0c0d0e0f10', 'hex');

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  // The ways of all methods to all real servers become known.
  for (const ends of Object.values(families)) {
    for (const method of ['masq', 'gate', 'tunnel', 'fullnat'] as const) {
      install(ends, method, 500);
      for (const source of [ends.client, ends.other, ends.client, ends.other]) {
        for (let port = 1; port < 5; port++) stage.walk(udp(ends, source, port, 500));
        stage.walk(udp(ends, ends.rip(1), 500, 9, source));
      }
      for (const source of [ends.rip(1), ends.rip(2)]) stage.walk(udp(ends, source, 500, 1, ends.client));
    }
  }
});

beforeEach(() => {
  stage.mark();
  stage.settle();
  stage.setTimeouts(300);
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(Object.entries(families))('by %s', (_, ends) => {
  describe.each(portless)('%s', (name) => {
    const packet = (source: string = ends.client, target: string = ends.vip): Buffer =>
      build({ source, destination: target, protocol: protocol[name], body });

    test('without a key exchange is the kernel’s', () => {
      install(ends, 'masq', 500);
      expect(stage.walk(packet()).verdict).toBe('pass');
      stage.walk(udp(ends, ends.other, 500, 500));
      stage.walk(udp(ends, ends.client, 501, 500));
      expect(stage.walk(packet()).verdict).toBe('pass');
      expect(stage.connections()).toHaveLength(2);
    });

    test.each<Method>(['masq', 'gate', 'tunnel'])(
      'by %s follows the exchange, and has no entry of its own',
      (method) => {
        install(ends, method, 500);
        const server = go(ends, udp(ends, ends.client, 500, 500));
        const before = stage.services()[0]?.counters.inPackets ?? 0n;
        for (const hook of ['walk', 'tc'] as const) {
          const ip = sent(stage[hook](packet()));
          const inside = method === 'tunnel' ? ip.inner : ip;
          expect(inside).toMatchObject({
            source: ends.client,
            destination: method === 'masq' ? ends.rip(server) : ends.vip,
            protocol: protocol[name],
            ttl: 63,
          });
          expect(inside?.payload.equals(body)).toBe(true);
        }
        expect((stage.services()[0]?.counters.inPackets ?? 0n) - before).toBe(2n);
        expect(stage.connections()).toHaveLength(1);
      },
    );

    test('by masq the real server’s own come from the VIP', () => {
      install(ends, 'masq', 500);
      const server = go(ends, udp(ends, ends.client, 500, 500));
      for (const hook of ['walk', 'tc'] as const) {
        expect(sent(stage[hook](packet(ends.rip(server), ends.client)))).toMatchObject({
          source: ends.vip,
          destination: ends.client,
          protocol: protocol[name],
        });
      }
    });

    test.each<Method>(['masq', 'gate', 'tunnel'])('by a mark’s service and %s has an entry of its own', (method) => {
      installMark(ends, method);
      for (const hook of ['tc', 'walk'] as const) {
        stage.settle();
        const first = sent(stage[hook](packet()));
        expect(sent(stage[hook](packet())).destination).toBe(first.destination);
        const address = (stage.connections()[0] ?? fail()).destination;
        expect(listed()).toEqual([
          `${name} NONE ${formatEndpoint(parseAddress(ends.client), 0)} ${formatEndpoint(parseAddress(ends.vip), 0)} ${formatEndpoint(address.address, 0)}`,
        ]);
        expect(stage.connections()[0]?.expiresInS).toBeGreaterThan(290);
        if (method === 'masq') expect(first.destination).toBe(formatAddress(address.address));
        expect(takeCensus(stage.maps).violations).toEqual([]);
      }
    });

    test('by a mark’s service and masq the real server’s own come from the VIP', () => {
      installMark(ends, 'masq');
      const { destination: server } = sent(stage.walk(packet()));
      for (const hook of ['walk', 'tc'] as const) {
        expect(sent(stage[hook](packet(server, ends.client)))).toMatchObject({
          source: ends.vip,
          destination: ends.client,
          protocol: protocol[name],
        });
      }
      expect(stage.services()[0]?.counters).toMatchObject({ connections: 1n, inPackets: 1n, outPackets: 2n });
    });

    test('by a mark’s service and fullnat is dropped, for nothing tells two clients apart', () => {
      installMark(ends, 'fullnat');
      expect(stage.walk(packet()).verdict).toBe('drop');
      expect(stage.news()).toMatchObject({ 'no-local-port': 1 });
      expect(stage.connections()).toEqual([]);
    });

    test('goes by the exchange where both have an entry', () => {
      installMark(ends, 'masq', { scheduler: 'rr' });
      const own = sent(stage.walk(packet())).destination;
      const exchange = sent(stage.walk(udp(ends, ends.client, 500, 500))).destination;
      expect(exchange).not.toBe(own);
      expect(sent(stage.walk(packet())).destination).toBe(exchange);
    });

    test('by a persistent mark goes where the client’s other protocols go', () => {
      installMark(ends, 'masq', { persistence: remembered(ends) });
      const first = sent(stage.walk(packet())).destination;
      for (const frame of [udp(ends, ends.client, 4711, 4500), udp(ends, ends.client, 4712, 500)]) {
        expect(sent(stage.walk(frame)).destination).toBe(first);
      }
      expect(sent(stage.walk(packet(ends.other))).destination).not.toBe(first);
      expect(takeCensus(stage.maps)).toMatchObject({ templates: 2, violations: [] });
    });

    test.each([true, false])(
      'an ICMP error about its packets finds the way back (by an exchange: %s)',
      (isByExchange) => {
        if (isByExchange) install(ends, 'masq', 500);
        else installMark(ends, 'masq');
        if (isByExchange) go(ends, udp(ends, ends.client, 500, 500));
        const quoted = stage.walk(packet()).packet.subarray(14);
        const server = parse(Buffer.concat([Buffer.alloc(12), etherType(ends), quoted])).ip.destination;
        const error = { type: ends.family === 4 ? 3 : 1, code: ends.family === 4 ? 2 : 4 };
        const frame = build({
          source: server,
          destination: ends.client,
          protocol: ends.family === 4 ? protocol.icmp : protocol.icmp6,
          body: buildIcmpError({ ...error, quoted, source: server, destination: ends.client }),
        });
        const ip = sent(stage.tc(frame));
        expect(ip).toMatchObject({ source: ends.vip, destination: ends.client });
        expect(ip.inner).toMatchObject({ source: ends.client, destination: ends.vip, protocol: protocol[name] });
      },
    );
  });

  describe('a key exchange that goes on at the other port', () => {
    test.each<readonly [Method, number, number]>([
      ['masq', 500, 4500],
      ['gate', 500, 4500],
      ['tunnel', 500, 4500],
      ['fullnat', 500, 4500],
      ['masq', 4500, 500],
      ['gate', 4500, 500],
    ])('by %s from %i to %i stays with its real server', (method, first, second) => {
      install(ends, method, first);
      for (const source of [ends.client, ends.other]) {
        go(ends, udp(ends, source, first, first));
        go(ends, udp(ends, source, second, second));
      }
      const entries = stage.connections();
      for (const source of [ends.client, ends.other]) {
        const own = entries.filter(({ client: from }) => formatAddress(from.address) === source);
        expect(own.map(({ virtual }) => virtual.port).sort((a, b) => a - b)).toEqual([500, 4500]);
        expect(new Set(own.map(({ destination: to }) => formatAddress(to.address))).size).toBe(1);
        if (method !== 'fullnat')
          expect(own.map(({ destination: to }) => to.port).sort((a, b) => a - b)).toEqual([500, 4500]);
        else
          expect(new Set(own.map(({ local }) => local && formatAddress(local.address)))).toEqual(new Set([ends.local]));
      }
      expect(takeCensus(stage.maps).violations).toEqual([]);
    });

    test('answers come from the VIP’s port, with right checksums', () => {
      install(ends, 'masq', 500);
      const server = go(ends, udp(ends, ends.client, 500, 500));
      go(ends, udp(ends, ends.client, 4500, 4500));
      for (const hook of ['walk', 'tc'] as const) {
        expect(sent(stage[hook](udp(ends, ends.rip(server), 4500, 4500, ends.client)))).toMatchObject({
          source: ends.vip,
          sourcePort: 4500,
          destinationPort: 4500,
        });
      }
    });

    test('of another client, or from another port, is not taken for it', () => {
      install(ends, 'masq', 500);
      go(ends, udp(ends, ends.client, 500, 500));
      expect(stage.walk(udp(ends, ends.other, 4500, 4500)).verdict).toBe('pass');
      expect(stage.walk(udp(ends, ends.client, 4501, 4500)).verdict).toBe('pass');
    });

    test('counts under the template of a persistent service', () => {
      install(ends, 'masq', 500, { persistence: remembered(ends) });
      go(ends, udp(ends, ends.client, 500, 500));
      go(ends, udp(ends, ends.client, 4500, 4500));
      expect(takeCensus(stage.maps)).toMatchObject({ connections: 2, templates: 1, violations: [] });
    });

    test('is scheduled by a service of that port only where the first port has no entry', () => {
      stage.install(
        service({ vip: ends.vip, protocol: 'udp', port: 500, destinations: servers(ends, 'masq', 500).slice(0, 1) }),
        service({ vip: ends.vip, protocol: 'udp', port: 4500, destinations: servers(ends, 'masq', 4500).slice(1) }),
      );
      expect(go(ends, udp(ends, ends.other, 4500, 4500))).toBe(1);
      go(ends, udp(ends, ends.client, 500, 500));
      expect(go(ends, udp(ends, ends.client, 4500, 4500))).toBe(2);
    });

    test('is told by trace', () => {
      install(ends, 'masq', 500);
      const server = go(ends, udp(ends, ends.client, 500, 500));
      const end = (address: string) => ({ address: parseAddress(address), port: 4500 });
      const answer = stage.trace({ protocol: 'udp', source: end(ends.client), target: end(ends.vip) });
      expect(answer).toMatchObject({ verdict: 'forwarded', service: { identity: { port: 500 } } });
      expect(answer?.destination && formatAddress(answer.destination.rip)).toBe(ends.rip(server));
      expect(answer?.rewrite?.target.port).toBe(4500);
      expect(stage.connections()).toHaveLength(1);
    });
  });
});

function install(ends: Ends, method: Method, port: number, facts: object = {}): void {
  stage.install(
    service({
      vip: ends.vip,
      protocol: 'udp',
      port,
      localAddresses: method === 'fullnat' ? [ends.local] : [],
      destinations: servers(ends, method, port),
      ...facts,
    }),
  );
}

/** All packets to the VIP have mark 5. */
function installMark(ends: Ends, method: Method, facts: object = {}): void {
  stage.mark(`-d ${ends.vip} --set-mark 5`);
  stage.install(service({ mark: 5, family: ends.family, destinations: servers(ends, method, 0), ...facts }));
}

/** The second is the first that rr chooses. */
function servers(ends: Ends, method: Method, port: number): readonly Destination[] {
  return [2, 1].map((number) => destination(number, method, { rip: parseAddress(ends.rip(number)), port }));
}

function remembered({ family }: Ends) {
  return persistence(300, family === 4 ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
}

function udp(
  ends: Ends,
  source: string,
  sourcePort: number,
  destinationPort: number,
  target: string = ends.vip,
): Buffer {
  return build({ source, sourcePort, destination: target, destinationPort, payload: Buffer.from('isakmp') });
}

function etherType({ family }: Ends): Buffer {
  return Buffer.from(family === 4 ? [8, 0] : [0x86, 0xdd]);
}

function sent({ verdict, packet }: { readonly verdict: string; readonly packet: Buffer }): IpPacket {
  expect([verdict, checksumErrors(packet)]).toEqual(['redirect', []]);
  return parse(packet).ip;
}

/** Sends it and tells the real server's number. */
function go(ends: Ends, frame: Buffer): number {
  const { ip } = parse(frame);
  sent(stage.walk(frame));
  const entry = stage
    .connections()
    .find(
      (one) =>
        !one.isTemplate &&
        formatAddress(one.client.address) === ip.source &&
        one.client.port === ip.sourcePort &&
        one.virtual.port === ip.destinationPort,
    );
  return (
    [1, 2].find((number) => entry && equalAddresses(entry.destination.address, parseAddress(ends.rip(number)))) ?? 0
  );
}

function listed(): readonly string[] {
  return stage
    .connections()
    .map(({ protocol: name, state, client: from, virtual, destination: to }) =>
      [name, state, ...[from, virtual, to].map(({ address, port }) => formatEndpoint(address, port))].join(' '),
    );
}

function fail(): never {
  throw new Error('there is no connection');
}
