// Persistence, met by real packets: which template remembers a client, for how long, and what ends it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { equalAddresses, formatAddress, formatEndpoint, parseAddress } from '../../src/model/address.ts';
import type { Connection } from '../../src/model/director.ts';
import type { Destination, Method, Persistence } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, flag, parse } from '../packets.ts';
import { destination, openStage, rip, type ServiceFacts, type Stage, service, six, vip } from './stage.ts';
import { until } from './until.ts';

interface Ends {
  readonly family: 4 | 6;
  readonly vip: string;
  /** Of 28 bits less than the whole address. */
  readonly network: string;
  /** Mark 5, as an address. */
  readonly mark: string;
  readonly client: (number: number) => string;
  readonly rip: (number: number) => string;
}

const four: Ends = {
  family: 4,
  vip,
  network: '255.255.255.240',
  mark: '0.0.0.5',
  client: (number) => `203.0.113.${number}`,
  rip,
};
const byFamily: readonly (readonly [string, Ends])[] = [
  ['IPv4', four],
  [
    'IPv6',
    {
      family: 6,
      vip: six.vip,
      network: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0',
      mark: '0:5::',
      client: (number) => `2001:db8:c::${number.toString(16)}`,
      rip: six.rip,
    },
  ],
];

let stage: Stage;
let ends: Ends;
let port = 10_000;

beforeAll(() => {
  stage = openStage();
});

beforeEach(() => {
  stage.install();
  stage.settle();
  stage.setTimeouts(300);
  stage.set({ expire_quiescent_template: 0, expire_nodest_conn: 0, conn_reuse_mode: 1 });
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(byFamily)('by %s', (_, chosen) => {
  beforeAll(() => {
    ends = chosen;
    stage.install(service({ vip: ends.vip, destinations: servers('gate') }));
    for (let count = 0; count < 4; count++) connect();
  });

  describe.each<Method>(['masq', 'gate', 'tunnel', 'fullnat'])('and %s', (method) => {
    test('a client stays with its real server, others go elsewhere', () => {
      install({ persistence: remembered(300) }, servers(method));
      const first = connect();
      expect([connect(), connect()]).toEqual([first, first]);
      expect(connect({ source: ends.client(6) })).not.toBe(first);
      expect(takeCensus(stage.maps)).toMatchObject({ connections: 4, templates: 2, violations: [] });
    });
  });

  test('clients of one network are one client under its mask', () => {
    install({ persistence: remembered(300, ends.network) });
    const first = connect({ source: ends.client(0x11) });
    expect(connect({ source: ends.client(0x1e) })).toBe(first);
    expect(connect({ source: ends.client(0x21) })).not.toBe(first);
    expect(templates().map(({ source }) => source)).toEqual([at(ends.client(0x10), 0), at(ends.client(0x20), 0)]);
  });

  describe('what a template is named by', () => {
    test('the port of a service that has one', () => {
      stage.install(
        service({ vip: ends.vip, port: 80, persistence: remembered(300), destinations: servers('masq') }),
        service({
          vip: ends.vip,
          port: 81,
          persistence: remembered(300),
          destinations: [server(3, 'masq', { port: 8081 })],
        }),
      );
      const first = connect();
      expect([connect({ port: 81 }), connect()]).toEqual([3, first]);
      expect(templates()).toEqual([
        expect.objectContaining({ virtual: at(ends.vip, 80), to: at(ends.rip(Number(first)), 80) }),
        expect.objectContaining({ virtual: at(ends.vip, 81), to: at(ends.rip(3), 8081) }),
      ]);
      expect(connections().map(({ to }) => to)).toContain(at(ends.rip(3), 8081));
    });

    test('the VIP alone for a service of any port, and every port goes to the same one', () => {
      install({ port: 0, persistence: remembered(300) }, servers('masq', { port: 0 }));
      const first = connect({ port: 80 });
      expect([connect({ port: 443 }), connect({ port: 8080 })]).toEqual([first, first]);
      expect(templates()).toEqual([
        expect.objectContaining({ virtual: at(ends.vip, 0), to: at(ends.rip(Number(first)), 0) }),
      ]);
      expect(connections().map(({ to }) => to)).toEqual([80, 443, 8080].map((one) => at(ends.rip(Number(first)), one)));
    });

    test('the VIP alone for FTP, whose data connections follow', () => {
      install({ port: 21, persistence: remembered(300) }, servers('gate', { port: 21 }));
      const first = connect({ port: 21 });
      expect([connect({ port: 2000 }), connect({ port: 20 })]).toEqual([first, first]);
      expect(connect({ port: 1023 })).toBe('pass');
      expect(templates()).toEqual([
        expect.objectContaining({ virtual: at(ends.vip, 0), to: at(ends.rip(Number(first)), 0) }),
      ]);
    });

    test('the mark, for all protocols and ports', () => {
      stage.install(
        service({
          mark: 5,
          family: ends.family,
          persistence: remembered(120),
          destinations: servers('masq', { port: 0 }),
        }),
      );
      const first = connect({ mark: 5 });
      expect([connect({ mark: 5, port: 443 }), send({ mark: 5, port: 53 })]).toEqual([first, first]);
      expect(connect({ mark: 6 })).toBe('pass');
      expect(templates()).toEqual([
        expect.objectContaining({
          protocol: 'ip',
          virtual: at(ends.mark, 0),
          to: at(ends.rip(Number(first)), 0),
          expiresInS: about(119),
        }),
      ]);
    });
  });

  describe('a template', () => {
    test('is NONE until one of its connections is established', () => {
      install({ persistence: remembered(300) });
      const sourcePort = port;
      connect();
      expect(templates()).toEqual([expect.objectContaining({ state: 'NONE', expiresInS: about(299) })]);
      send({ sourcePort, flags: flag.ack });
      expect(templates()).toEqual([expect.objectContaining({ state: 'ASSURED' })]);
    });

    test('of UDP is NONE until a reply is seen', () => {
      install({ protocol: 'udp', port: 53, persistence: remembered(300) }, servers('masq', { port: 53 }));
      const sourcePort = port;
      const number = send({ port: 53 });
      send({ port: 53, sourcePort });
      expect(templates()).toEqual([expect.objectContaining({ state: 'NONE' })]);
      for (const _ of ['the first', 'and another'])
        expect(
          stage.walk(
            build({
              source: ends.rip(Number(number)),
              sourcePort: 53,
              destination: ends.client(5),
              destinationPort: sourcePort,
            }),
          ).verdict,
        ).toBe('redirect');
      expect(templates()).toEqual([expect.objectContaining({ state: 'ASSURED' })]);
      expect(takeCensus(stage.maps)).toMatchObject({ connections: 1, replies: 1, templates: 1, violations: [] });
    });

    test('counts as persistent, and neither as active nor as inactive', () => {
      install({ persistence: remembered(300) }, [server(1, 'gate')]);
      connect();
      connect();
      expect(stage.services()[0]?.destinations[0]).toMatchObject({
        activeConnections: 2,
        inactiveConnections: 0,
        persistentConnections: 1,
        counters: { connections: 2n },
      });
    });

    test('lives 60 s more at a time as long as there are connections that came by it', async () => {
      install({ persistence: remembered(1) });
      connect();
      await until(() => templates().some(({ expiresInS }) => expiresInS > 1));
      expect(templates()).toEqual([expect.objectContaining({ expiresInS: about(59) })]);
      expect(takeCensus(stage.maps).violations).toEqual([]);
    });

    test('ends when its time and its connections are over', async () => {
      install({ persistence: remembered(1) });
      connect();
      stage.setTimeouts(0);
      await until(() => takeCensus(stage.maps).connections === 0);
      age(61);
      await until(() => templates().length === 0);
      expect(takeCensus(stage.maps)).toEqual({ connections: 0, replies: 0, violations: [] });
    });

    test('begins its time again with each new connection', () => {
      install({ persistence: remembered(300) });
      connect();
      age(100);
      expect(templates()).toEqual([expect.objectContaining({ expiresInS: about(199) })]);
      connect();
      expect(templates()).toEqual([expect.objectContaining({ expiresInS: about(299) })]);
    });
  });

  describe('a real server', () => {
    test('of weight 0 keeps the clients that it has', () => {
      install({ persistence: remembered(300) });
      const first = connect();
      const others = servers('masq').map((one) => (isNumber(one, first) ? { ...one, weight: 0 } : one));
      install({ persistence: remembered(300) }, others);
      expect(connect()).toBe(first);
      expect(connect({ source: ends.client(7) })).not.toBe(first);
    });

    test('of weight 0 loses them with expire_quiescent_template, and the old template is parked', () => {
      install({ persistence: remembered(300) });
      const first = connect();
      install(
        { persistence: remembered(300) },
        servers('masq').map((one) => (isNumber(one, first) ? { ...one, weight: 0 } : one)),
      );
      stage.setTimeouts(300);
      stage.set({ expire_quiescent_template: 1 });
      const second = connect();
      expect(second).not.toBe(first);
      expect(connect()).toBe(second);
      expect(new Set(templates().map(({ virtual, to }) => `${virtual} ${to}`))).toEqual(
        new Set([
          `${at(ends.vip, 65535)} ${at(ends.rip(Number(first)), 65535)}`,
          `${at(ends.vip, 80)} ${at(ends.rip(Number(second)), 80)}`,
        ]),
      );
      expect(takeCensus(stage.maps)).toMatchObject({ connections: 3, templates: 2, violations: [] });
    });

    test('that reached its threshold keeps the clients that it has', () => {
      const limited = servers('masq').map((one) => ({ ...one, upperThreshold: 1 }));
      install({ persistence: remembered(300) }, limited);
      const first = connect();
      expect([connect(), connect()]).toEqual([first, first]);
      expect(connect({ source: ends.client(7) })).not.toBe(first);
      expect(['x', 'drop']).toContain(connect({ source: ends.client(8) }));
    });

    test('that is deleted loses them', () => {
      install({ persistence: remembered(300) });
      const first = connect();
      install(
        { persistence: remembered(300) },
        servers('masq').filter((one) => !isNumber(one, first)),
      );
      const second = connect();
      expect(second).not.toBe(first);
      expect(connect()).toBe(second);
      expect(takeCensus(stage.maps).violations).toEqual([]);
    });

    test('takes a known client by the method that it has now', () => {
      install({ persistence: remembered(300) }, [server(1, 'gate')]);
      connect();
      install({ persistence: remembered(300) }, [server(1, 'masq')]);
      connect();
      expect(connections().map(({ method }) => method)).toEqual(['gate', 'masq']);
    });
  });

  test('a SYN on a connection in CLOSE that came by a template is not scheduled anew', () => {
    install({ persistence: remembered(300) });
    const sourcePort = port;
    connect();
    for (const flags of [flag.ack, flag.rst]) send({ sourcePort, flags });
    expect(connections()).toEqual([expect.objectContaining({ state: 'CLOSE' })]);
    send({ sourcePort, flags: flag.syn });
    expect(takeCensus(stage.maps)).toMatchObject({ connections: 1, templates: 1, violations: [] });
    expect(stage.services()[0]?.counters.connections).toBe(1n);
  });

  test('trace tells where a client would go, and leaves nothing behind', () => {
    install({ persistence: remembered(300) });
    const first = connect();
    expect(traced(ends.client(5))).toBe(ends.rip(Number(first)));
    expect(traced(ends.client(77))).toBeDefined();
    expect(takeCensus(stage.maps)).toMatchObject({ connections: 1, templates: 1, violations: [] });
  });
});

test('with a full table a client still comes to one real server', () => {
  ends = four;
  const small = openStage({ connections: 1024 });
  try {
    small.install(service({ persistence: remembered(300), destinations: servers('gate') }));
    const chosen = new Map<string, Set<string>>();
    for (let count = 0; count < 8000; count++) {
      const source = `203.0.${count % 100}.${100 + (count % 7)}`;
      const { verdict, packet } = small.walk(
        build({ source, sourcePort: 1024 + count, destination: ends.vip, destinationPort: 80, flags: flag.syn }),
      );
      if (verdict !== 'redirect') throw new Error(`packet ${count} was not forwarded`);
      if (count > 6000) chosen.set(source, (chosen.get(source) ?? new Set()).add(parse(packet).destinationMac));
    }
    expect(small.news().stateless).toBeGreaterThan(100);
    expect([...chosen.values()].filter(({ size }) => size > 2)).toEqual([]);
    expect(takeCensus(small.maps).violations).toEqual([]);
  } finally {
    small[Symbol.dispose]();
  }
});

function install(facts: ServiceFacts, destinations: readonly Destination[] = servers('masq')): void {
  stage.install(service({ vip: ends.vip, ...facts, destinations }));
}

function servers(method: Method, facts: Partial<Destination> = {}): readonly Destination[] {
  return [1, 2, 3, 4].slice(0, 2).map((number) => server(number, method, facts));
}

function server(number: number, method: Method, facts: Partial<Destination> = {}): Destination {
  return destination(number, method, { rip: parseAddress(ends.rip(number)), ...facts });
}

/** Each client is one, unless a mask says otherwise. */
function remembered(timeoutS: number, mask?: string): Persistence {
  const all = { family: ends.family, bytes: new Array<number>(ends.family === 6 ? 16 : 4).fill(255) };
  return { timeoutS, mask: mask === undefined ? all : parseAddress(mask) };
}

function at(address: string, number: number): string {
  return formatEndpoint(parseAddress(address), number);
}

function isNumber({ rip: address }: Destination, number: Chosen): boolean {
  return equalAddresses(address, parseAddress(ends.rip(Number(number))));
}

/** The number of a real server, x for a refusal. */
type Chosen = number | 'x' | 'pass' | 'drop';

/** A time that a moment of the test, or none, was taken off. */
function about(seconds: number): number {
  return expect.toSatisfy((found: number) => found >= seconds - 3 && found <= seconds + 1) as unknown as number;
}

interface Packet {
  readonly source?: string;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly mark?: number;
  /** Of TCP; else it is a datagram. */
  readonly flags?: number;
}

function connect(packet: Packet = {}): Chosen {
  return send({ ...packet, flags: flag.syn });
}

/** From a port of its own unless told otherwise. */
function send({
  source = ends.client(5),
  sourcePort = port++,
  port: destinationPort = 80,
  mark,
  flags,
}: Packet): Chosen {
  const frame = build({
    source,
    sourcePort,
    destination: ends.vip,
    destinationPort,
    ...(flags === undefined ? {} : { flags }),
  });
  const { verdict, packet } = mark === undefined ? stage.walk(frame) : stage.marked(mark, frame);
  if (verdict !== 'redirect') return verdict === 'aborted' ? 'drop' : verdict;
  if (parse(packet).ip.icmp !== undefined) return 'x';
  const entry = stage
    .connections()
    .find((one) => one.client.port === sourcePort && one.virtual.port === destinationPort);
  if (entry === undefined) throw new Error('the connection has no entry');
  return (
    [1, 2, 3, 4].find((number) => equalAddresses(parseAddress(ends.rip(number)), entry.destination.address)) ?? 'drop'
  );
}

interface Listed extends Pick<Connection, 'protocol' | 'state' | 'expiresInS' | 'method'> {
  readonly source: string;
  readonly virtual: string;
  readonly to: string;
}

function templates(): readonly Listed[] {
  return listed(true);
}

function connections(): readonly Listed[] {
  return listed(false);
}

/** The oldest first: clients' ports grow. */
function listed(isTemplate: boolean): readonly Listed[] {
  const text = ({ address, port: number }: Connection['client']): string => formatEndpoint(address, number);
  return stage
    .connections()
    .filter((one) => (one.isTemplate ?? false) === isTemplate)
    .sort((a, b) => a.client.port - b.client.port || text(a.client).localeCompare(text(b.client)))
    .sort((a, b) => (isTemplate ? text(a.virtual).localeCompare(text(b.virtual)) : 0))
    .map(({ client: source, virtual, destination: to, ...facts }) => ({
      ...facts,
      source: text(source),
      virtual: text(virtual),
      to: text(to),
    }));
}

/** As if all entries had been seen so many seconds earlier. */
function age(seconds: number): void {
  const seen = stage.maps.rows('flows').number('seen');
  const jiffies = seconds * stage.maps.rows('settings').number('hz').get(0);
  for (let slot = 0; slot < stage.maps.instance.flow_slots; slot++) seen.set(slot, (seen.get(slot) - jiffies) >>> 0);
}

function traced(source: string): string | undefined {
  const answer = stage.trace({
    protocol: 'tcp',
    source: { address: parseAddress(source), port: 999 },
    target: { address: parseAddress(ends.vip), port: 80 },
  });
  return answer?.destination && formatAddress(answer.destination.rip);
}
