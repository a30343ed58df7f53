// Which service a packet is for: by mark, by its port, as FTP's data, by any port; and where services' destinations are full.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/model/address.ts';
import { type Destination, type Method, type Scheduler, type Service, schedulers } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, flag, parse } from '../packets.ts';
import { client, destination, openStage, persistence, rip, type Stage, service, six, vip } from './stage.ts';
import { until } from './until.ts';

let stage: Stage;
let sourcePort = 20_000;

beforeAll(() => {
  stage = openStage();
  stage.install(service({ destinations: servers(1, 2, 3, 4) }));
  for (let count = 0; count < 4; count++) connect(80);
});

beforeEach(() => {
  stage.install();
  stage.settle();
  stage.set({ sloppy_tcp: 0, conn_reuse_mode: 1, expire_nodest_conn: 0 });
  stage.setTimeouts(300);
});

afterAll(() => stage?.[Symbol.dispose]());

describe('a packet is for', () => {
  const services: Readonly<Record<string, Service>> = {
    mark: service({ mark: 7, destinations: servers(1) }),
    port: service({ destinations: servers(2) }),
    ftp: service({ port: 21, persistence: persistence(300), destinations: servers(3) }),
    any: service({ port: 0, persistence: persistence(300), destinations: servers(4) }),
  };
  const all = ['mark', 'port', 'ftp', 'any'];

  test.each<[string, readonly string[], { port: number; mark?: number }, string]>([
    ["its mark's service before all others", all, { port: 80, mark: 7 }, '1'],
    ['its port, if its mark has none', all, { port: 80, mark: 8 }, '2'],
    ['its port', all, { port: 80 }, '2'],
    ['FTP, if its port is 21', all, { port: 21 }, '3'],
    ['FTP, if it may be its data', all, { port: 1024 }, '3'],
    ['FTP, if it may be its active data', all, { port: 20 }, '3'],
    ['any port, if it can not be that', all, { port: 1023 }, '4'],
    ['any port, where there is no FTP', ['mark', 'port', 'any'], { port: 1024 }, '4'],
    ['nobody, where there is no other', ['mark', 'port'], { port: 81 }, 'pass'],
    ['nobody, if only its mark is another', ['mark'], { port: 80, mark: 8 }, 'pass'],
  ])('%s', (_, names, { port, mark }, expected) => {
    stage.install(...names.flatMap((name) => services[name] ?? []));
    expect(connect(port, { ...(mark === undefined ? {} : { mark }) })).toBe(expected);
  });

  test('the same as before once a service is gone', () => {
    stage.install(...Object.values(services));
    stage.install(...['mark', 'port'].flatMap((name) => services[name] ?? []));
    expect(connect(1024)).toBe('pass');
    const { LOOKUP_MARK, LOOKUP_IKE } = stage.maps.vocabulary.numbers;
    expect(stage.maps.rows('settings').number('lookups').get(0)).toBe(LOOKUP_MARK | LOOKUP_IKE);
  });
});

describe('XDP looks for IPv6 connections', () => {
  const ofSix = service({ vip: six.vip, destinations: [destination(1, 'gate', { rip: parseAddress(six.rip(1)) })] });
  const toSix = (method: Method): Destination => destination(1, method, { rip: parseAddress(six.rip(1)) });
  const served = (): number => stage.maps.rows('settings').number('serves_six').get(0);

  test.each<[string, readonly Service[], 'SIX_NONE' | 'SIX_WHOLE' | 'SIX_TRANSLATED']>([
    ['not where all is of IPv4', [service({ destinations: [destination(1, 'masq')] })], 'SIX_NONE'],
    ['where a service is of IPv6', [service({ destinations: servers(1) }), ofSix], 'SIX_WHOLE'],
    ['where a mark is', [service({ mark: 7, family: 6 })], 'SIX_WHOLE'],
    ['where a real server is', [service({ destinations: [toSix('tunnel')] })], 'SIX_WHOLE'],
    [
      'and their extensions, where packets are translated',
      [{ ...ofSix, destinations: [toSix('gate'), { ...toSix('masq'), rip: parseAddress(six.rip(2)) }] }],
      'SIX_TRANSLATED',
    ],
  ])('%s', (_, services, expected) => {
    stage.install(...services);
    expect(served()).toBe(stage.maps.vocabulary.numbers[expected]);
    stage.install();
    expect(served()).toBe(stage.maps.vocabulary.numbers.SIX_NONE);
  });

  test('and leaves them to TC once their service is gone', () => {
    const ends = { source: six.client, sourcePort: sourcePort++, destination: six.vip, destinationPort: 80 };
    stage.install(ofSix);
    stage.walk(build({ ...ends, flags: flag.syn }));
    expect(stage.walk(build({ ...ends, flags: flag.ack }))).toMatchObject({ verdict: 'redirect', hook: 'xdp' });
    stage.install();
    stage.news();
    expect(stage.xdp(build({ ...ends, flags: flag.ack })).verdict).toBe('pass');
    expect(stage.news()).toEqual({});
    expect(stage.walk(build({ ...ends, flags: flag.ack }))).toMatchObject({ verdict: 'drop', hook: 'tc' });
  });
});

test('a service of any port that is not persistent refuses what comes', () => {
  stage.install(service({ port: 0, destinations: servers(1) }));
  expect(connect(80)).toBe('x');
});

test('what may be data of an FTP that is not persistent is left to the director', () => {
  stage.install(service({ port: 21, destinations: servers(1) }));
  expect([connect(21), connect(2000)]).toEqual(['1', 'pass']);
});

test("marks' services take packets to any address", () => {
  stage.install(service({ mark: 7, destinations: servers(1) }));
  expect(connect(80, { mark: 7, target: '203.0.113.99' })).toBe('1');
});

test('without SYN nobody is scheduled but with sloppy_tcp, and with RST nobody is', () => {
  stage.install(service({ destinations: servers(1) }));
  expect([send(80, flag.ack), send(80, flag.fin | flag.ack)]).toEqual(['pass', 'pass']);
  stage.set({ sloppy_tcp: 1 });
  expect([send(80, flag.ack), send(80, flag.rst)]).toEqual(['1', 'pass']);
});

describe('a SYN on a connection of gate', () => {
  test.each<[string, number, number, number]>([
    ['in CLOSE', flag.rst, 1, 2],
    ['in CLOSE, with conn_reuse_mode 0', flag.rst, 0, 1],
    ['in FIN_WAIT', flag.fin, 1, 1],
    ['in FIN_WAIT, with conn_reuse_mode 2', flag.fin, 2, 2],
  ])('%s', (_, ending, mode, connections) => {
    stage.install(service({ destinations: servers(1) }));
    stage.set({ conn_reuse_mode: mode });
    const from = sourcePort++;
    for (const flags of [flag.syn, flag.ack, ending, flag.syn]) send(80, flags, { from });
    expect(stage.services()[0]?.counters.connections).toBe(BigInt(connections));
    expect(takeCensus(stage.maps)).toMatchObject({ connections: 1, violations: [] });
  });
});

describe('a connection whose real server was deleted', () => {
  test('is dropped', () => {
    stage.install(service({ destinations: servers(1) }));
    const from = sourcePort++;
    send(80, flag.syn, { from });
    stage.install(service({ destinations: servers(2) }));
    expect([send(80, flag.ack, { from }), send(80, flag.syn, { from })]).toEqual(['drop', 'drop']);
    expect(stage.connections()).toHaveLength(1);
  });

  test('ends with expire_nodest_conn: amid it the director answers, a SYN goes elsewhere', () => {
    stage.install(service({ destinations: servers(1) }));
    const [one, other] = [sourcePort++, sourcePort++];
    for (const from of [one, other]) send(80, flag.syn, { from });
    stage.install(service({ destinations: servers(2) }));
    stage.set({ expire_nodest_conn: 1 });
    expect(send(80, flag.ack, { from: one })).toBe('pass');
    expect(send(80, flag.syn, { from: other })).toBe('2');
    expect(takeCensus(stage.maps)).toMatchObject({ connections: 1, violations: [] });
  });

  test.each([
    ['reschedule', '2', '2'],
    ['reset', 'pass', '2'],
  ] as const)('ends when its service has on_remove: %s', async (onRemove, datagram, later) => {
    const balanced = (number: number): Service[] => [
      service({ onRemove, destinations: servers(number) }),
      service({ protocol: 'udp', onRemove, destinations: servers(number) }),
    ];
    stage.install(...balanced(1));
    const [one, other, two] = [sourcePort++, sourcePort++, sourcePort++];
    const sendUdp = (): string => send(80, 0, { from: two, isUdp: true });
    expect([send(80, flag.syn, { from: one }), send(80, flag.syn, { from: other }), sendUdp()]).toEqual([
      '1',
      '1',
      '1',
    ]);
    stage.install(...balanced(2));
    expect([send(80, flag.ack, { from: one }), send(80, flag.syn, { from: other })]).toEqual(['pass', '2']);
    expect([sendUdp(), sendUdp()]).toEqual([datagram, later]);
    // And another service's stay.
    stage.install(service({ destinations: servers(1) }));
    const kept = sourcePort++;
    send(80, flag.syn, { from: kept });
    stage.install(service({ destinations: servers(2) }));
    expect(send(80, flag.ack, { from: kept })).toBe('drop');
    // A sweep may be ending one just while they are counted.
    await until(() => takeCensus(stage.maps).violations.length === 0);
  });

  test('ends by itself with expire_nodest_conn', async () => {
    stage.install(service({ persistence: persistence(300), destinations: servers(1) }));
    connect(80);
    stage.install(service({ persistence: persistence(300), destinations: servers(2) }));
    stage.set({ expire_nodest_conn: 1 });
    expect(stage.connections()).toEqual([]); // none that a packet could still find is listed
    const gone = { connections: 0, replies: 0, violations: [] };
    await until(() => JSON.stringify(takeCensus(stage.maps)) === JSON.stringify(gone));
  });

  test('goes elsewhere with expire_nodest_conn when its real server has weight 0', () => {
    stage.install(service({ destinations: servers(1) }));
    const from = sourcePort++;
    send(80, flag.syn, { from });
    stage.install(service({ destinations: [destination(2, 'gate'), destination(1, 'gate', { weight: 0 })] }));
    expect(send(80, flag.syn, { from })).toBe('1');
    stage.set({ expire_nodest_conn: 1 });
    expect([send(80, flag.ack, { from }), send(80, flag.syn, { from })]).toEqual(['1', '2']);
  });
});

describe('upper thresholds', () => {
  /** The second, newer one takes one connection. */
  const limited = (scheduler: Scheduler): Service =>
    service({
      scheduler,
      destinations: [
        destination(2, 'gate', { weight: 3, upperThreshold: 1 }),
        destination(1, 'gate', { weight: 1, upperThreshold: 6 }),
      ],
    });
  test.each(schedulers)('are kept by %s', (scheduler) => {
    stage.install(limited(scheduler));
    const chosen = Array.from({ length: 24 }, (_, count) => connect(80, { source: `203.0.113.${count + 1}` }));
    const counts = { one: chosen.filter((one) => one === '1').length, two: chosen.filter((one) => one === '2').length };
    expect(takeCensus(stage.maps).violations).toEqual([]);
    // lblc does not ask about a real server that it sent the address to before (ip_vs_lblc_schedule).
    if (scheduler === 'lblc') return;
    expect(counts.two).toBeLessThanOrEqual(1);
    expect(counts.one).toBeLessThanOrEqual(6);
    expect(new Set(chosen)).toContain('x');
    if (!['sh', 'dh', 'mh', 'ovf', 'none'].includes(scheduler)) expect(counts).toEqual({ one: 6, two: 1 });
  });

  test('let nobody in until a quarter of the connections is gone, or as many as the lower one says', async () => {
    for (const [lowerThreshold, gone] of [
      [0, 2],
      [2, 3],
    ] as const) {
      stage.install();
      stage.settle();
      const ports = [1, 2, 3, 4].map(() => sourcePort++);
      stage.install(service({ destinations: [destination(1, 'gate', { upperThreshold: 4, lowerThreshold })] }));
      for (const from of ports) expect(send(80, flag.syn, { from })).toBe('1');
      expect(connect(80)).toBe('x');
      for (const [index, from] of ports.slice(0, gone).entries()) {
        expect([lowerThreshold, index, connect(80)]).toEqual([lowerThreshold, index, 'x']);
        await end(from);
      }
      expect(connect(80)).toBe('1');
    }
  });

  test('that are raised let connections in when those that are there are few enough, that are lowered hold at once', () => {
    const allowing = (upperThreshold: number): Service =>
      service({ destinations: [destination(1, 'gate', { upperThreshold })] });
    stage.install(allowing(1));
    expect([connect(80), connect(80)]).toEqual(['1', 'x']);
    stage.install(allowing(3));
    expect([connect(80), connect(80), connect(80)]).toEqual(['1', '1', 'x']);
    stage.install(allowing(0));
    expect([connect(80), connect(80)]).toEqual(['1', '1']);
    stage.install(allowing(2));
    expect(connect(80)).toBe('x');
    stage.install(allowing(6));
    expect(connect(80)).toBe('x');
    stage.install(allowing(7));
    expect([connect(80), connect(80), connect(80)]).toEqual(['1', '1', 'x']);
  });

  test('wrr comes at once to whom is far lighter than all that are full', () => {
    stage.install(
      service({
        scheduler: 'wrr',
        destinations: [
          destination(3, 'gate', { weight: 100_000, upperThreshold: 1 }),
          destination(2, 'gate', { weight: 4 }),
          destination(1, 'gate', { weight: 2 }),
        ],
      }),
    );
    expect(Array.from({ length: 10 }, () => connect(80)).join('')).toBe('3212212212');
  });
});

function servers(...numbers: readonly number[]): readonly Destination[] {
  return numbers.map((number) => destination(number, 'gate'));
}

/** Its entry is old, and the sweep has seen it. */
async function end(from: number): Promise<void> {
  const before = stage.connections().length;
  const flows = stage.maps.rows('flows');
  for (let slot = 0; slot < flows.length; slot++) {
    const port = flows.bigint('ports').get(slot) & 0xffffn;
    if (port === BigInt(((from & 0xff) << 8) | (from >> 8)))
      flows.number('seen').set(slot, (flows.number('seen').get(slot) - 1_000_000) >>> 0);
  }
  await until(() => stage.connections().length < before);
}

interface Ends {
  readonly source?: string;
  readonly target?: string;
  readonly from?: number;
  readonly mark?: number;
  readonly isUdp?: boolean;
}

/** The number of the real server, x for a refusal by ICMP, or the verdict. */
function connect(port: number, ends: Ends = {}): string {
  return send(port, flag.syn, ends);
}

function send(
  port: number,
  flags: number,
  { source = client, target = vip, from = sourcePort++, mark, isUdp = false }: Ends = {},
): string {
  const ends = { source, sourcePort: from, destination: target, destinationPort: port };
  const frame = build(isUdp ? ends : { ...ends, flags });
  const { verdict, packet } = mark === undefined ? stage.walk(frame) : stage.marked(mark, frame);
  if (verdict !== 'redirect') return verdict;
  if (parse(packet).ip.icmp !== undefined) return 'x';
  const entry = stage
    .connections()
    .find(
      (one) => one.client.port === from && one.virtual.port === port && formatAddress(one.client.address) === source,
    );
  if (entry === undefined) throw new Error('the connection has no entry');
  expect(entry.virtual.address).toEqual(parseAddress(target));
  return String([1, 2, 3, 4].find((number) => rip(number) === formatAddress(entry.destination.address)) ?? '?');
}
