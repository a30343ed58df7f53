// The connection table at its edges: full, emptied by time alone, and with two connections that a real server can't tell apart.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from '../../src/model/director.ts';
import type { Method } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, checksumErrors, flag, parse } from '../packets.ts';
import { destination, openStage, rip, type Stage, service, vip } from './stage.ts';
import { until } from './until.ts';

const otherVip = '198.51.100.11';
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const methods = Object.keys(ports) as Method[];
const local = '192.0.2.77';

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  const localAddresses = [local];
  stage.install(
    ...methods.map((method) => {
      const destinations = [1, 2, 3, 4].map((number) => destination(number, method, { port: ports[method] }));
      return service({
        port: ports[method],
        scheduler: 'wlc',
        destinations,
        localAddresses: method === 'fullnat' ? localAddresses : [],
      });
    }),
    service({ vip: otherVip, destinations: [destination(1, 'masq')] }),
  );
  for (const method of methods) for (let index = 0; index < 4; index++) send(method, index, flag.syn);
  connect(otherVip, 9, flag.syn);
});

beforeEach(() => {
  stage.setTimeouts(900);
  stage.settle();
  stage.maps.rows('settings').patch(0, { stateless_until: 0 });
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(['gate', 'tunnel'] as const)('a full table, and %s:', (method) => {
  test("a connection's every packet goes to one real server, and it has an entry as soon as there is room", async () => {
    const homeless = fill(method).slice(0, 50);
    const first = homeless.map((index) => send(method, index, flag.ack));
    const again = homeless.map((index) => send(method, index, flag.ack));
    expect(again).toEqual(first);
    expect(new Set(first).size).toBe(4);
    expect(stage.news().stateless).toBeGreaterThanOrEqual(100);
    await drain();
    expect(homeless.map((index) => send(method, index, flag.ack))).toEqual(first);
    expect(stage.connections().length).toBe(homeless.length);
    expect(homeless.map((index) => send(method, index, flag.fin | flag.ack))).toEqual(first);
    expect(takeCensus(stage.maps).violations).toEqual([]);
  });
});

test('a full table has no room for masq and fullnat, and says so', () => {
  fill('gate');
  const refused = (['masq', 'fullnat'] as const).map((method) => {
    stage.news();
    for (let index = 0; index < 500; index++) send(method, 20_000 + index, flag.syn);
    return stage.news();
  });
  for (const news of refused) expect(news['table-full']).toBeGreaterThan(100);
  expect(refused.map((news) => Object.keys(news))).toEqual([['table-full'], ['table-full']]);
  expect(takeCensus(stage.maps).violations).toEqual([]);
});

describe('time', () => {
  test.each(methods)('ends idle connections by %s, with nobody there but the kernel', async (method) => {
    for (let index = 0; index < 200; index++) send(method, index, flag.syn);
    expect(takeCensus(stage.maps).connections).toBe(200);
    stage.news();
    await drain();
    expect(stage.news()).toEqual({ expired: 200 });
    expect(takeCensus(stage.maps)).toEqual({ connections: 0, replies: 0, violations: [] });
  });

  test('keeps a connection by masq for which only replies come', async () => {
    const states = stage.maps.vocabulary.states;
    const timeouts = Array<number>(32).fill(900);
    // Far longer than a busy machine keeps a process waiting between two of the replies below.
    timeouts[states.number('ESTABLISHED')] = 5;
    for (const index of [1, 2]) for (const flags of [flag.syn, flag.ack]) send('masq', index, flags);
    stage.maps.rows('settings').patch(0, { timeout_s: timeouts });
    const isKept = (one: Connection): boolean => one.client.address.bytes.join('.') === clientOf(1).source;
    const kept = stage.connections().find(isKept);
    if (kept === undefined) throw new Error('the connection has no entry');
    await until(() => {
      const ends = { source: kept.destination.address.bytes.join('.'), sourcePort: 80 };
      const { source, sourcePort } = clientOf(1);
      stage.walk(build({ ...ends, destination: source, destinationPort: sourcePort, flags: flag.ack }));
      return stage.connections().length === 1;
    });
    expect(stage.connections().every(isKept)).toBe(true);
  });
});

describe('two connections by masq that a real server would take for one', () => {
  test('are not let through both', () => {
    expect(connect(vipOfOne(), 7, flag.syn)).toBe(rip(1));
    expect(connect(otherVip, 7, flag.syn)).toBe('drop');
    expect(stage.news()).toEqual({ 'tuple-in-use': 1 });
    expect(connect(vipOfOne(), 7, flag.ack)).toBe(rip(1));
    expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
  });

  test('are, one after the other, when the first is ending', () => {
    for (const flags of [flag.syn, flag.ack, flag.rst]) connect(vipOfOne(), 8, flags);
    expect(connect(otherVip, 8, flag.syn)).toBe(rip(1));
    expect(stage.news()).toEqual({});
    expect(stage.connections().map((one) => [one.virtual.address.bytes.join('.'), one.state])).toEqual([
      [otherVip, 'SYN_RECV'],
    ]);
    expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
  });

  /** The VIP, whose service has come to give its next connection to real server 1. */
  function vipOfOne(): string {
    const others = stage
      .services()
      .filter(({ identity }) => !('port' in identity) || identity.vip.bytes.join('.') === otherVip);
    stage.install(service({ destinations: [destination(1, 'masq')] }), ...others);
    return vip;
  }
});

/** Opens connections until the table takes no more, and a thousand further. The numbers of those without an entry. */
function fill(method: Method): number[] {
  const tried = 6000;
  for (let index = 0; index < tried; index++) send(method, index, flag.syn);
  const entered = new Set(stage.connections().map(({ client }) => `${client.address.bytes.join('.')}:${client.port}`));
  const homeless = Array.from({ length: tried }, (_, index) => index).filter((index) => {
    const { source, sourcePort } = clientOf(index);
    return !entered.has(`${source}:${sourcePort}`);
  });
  const { stateless } = stage.news();
  expect(stateless).toBe(homeless.length);
  expect(entered.size).toBeGreaterThan(stage.maps.instance.flow_slots * 0.75);
  return homeless;
}

/** All connections expire, and their slots are anybody's again. */
async function drain(): Promise<void> {
  stage.setTimeouts(0);
  await until(() => takeCensus(stage.maps).connections === 0);
  stage.setTimeouts(900);
  await until(() => stage.graceIsOver());
}

function clientOf(index: number): { readonly source: string; readonly sourcePort: number } {
  return { source: `203.0.113.${1 + (index % 100)}`, sourcePort: 1024 + Math.floor(index / 100) };
}

/** The real server that the packet goes to, or what became of it. */
function send(method: Method, index: number, flags: number): string {
  return through({ ...clientOf(index), destination: vip, destinationPort: ports[method] }, flags);
}

function connect(destinationVip: string, index: number, flags: number): string {
  return through({ ...clientOf(index), destination: destinationVip, destinationPort: 80 }, flags);
}

function through(
  ends: { source: string; sourcePort: number; destination: string; destinationPort: number },
  flags: number,
): string {
  const { verdict, packet } = stage.walk(build({ ...ends, flags }));
  if (verdict !== 'redirect') return verdict;
  if (checksumErrors(packet).length > 0) throw new Error(checksumErrors(packet).join());
  // By gate the real server's MAC tells: its last digit is its number.
  const { ip, destinationMac } = parse(packet);
  return ip.destination === vip || ip.destination === otherVip ? rip(Number(destinationMac.at(-1))) : ip.destination;
}
