// The director's life without processes of ours: they may be killed, or not be there at all, and connections live and end.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Method } from '../../src/model/service.ts';
import { listConnections, listCounts } from './listing.ts';
import {
  addServices,
  destination,
  fairlead,
  ipvsadm,
  methodOption,
  type Network,
  openNetwork,
  restore,
  serviceLines,
  vip,
} from './network.ts';
import { startTalker, type Talk, type Talker } from './talk.ts';
import { until } from './until.ts';
import { runWrk } from './wrk.ts';

const talkService = `${vip}:7`;

let network: Network;
let talker: Talker;

afterEach(() => network[Symbol.asyncDispose]());

async function begin(method: Method): Promise<void> {
  network = await openNetwork(method);
  await addServices(network, [
    { protocol: 'tcp', port: 80 },
    { protocol: 'tcp', port: 7 },
    { protocol: 'udp', port: 7 },
  ]);
  talker = await startTalker(network);
}

describe.each(['masq', 'gate'] as const)('whatever is killed, %s', (method) => {
  beforeEach(() => begin(method));

  test('goes on without one failed request', async () => {
    let isOver = false;
    const load = Promise.all([
      runWrk(network, { seconds: 3 }),
      runWrk(network, { seconds: 3, isClosing: true }),
    ]).finally(() => {
      isOver = true;
    });
    let killed = 0;
    for (let turn = 0; !isOver; turn++) if (await runAndKill(turn)) killed++;
    for (const { requests, failures } of await load) {
      expect(failures).toBe('');
      expect(requests).toBeGreaterThan(100);
    }
    expect(killed).toBeGreaterThan(0);
    expect(Object.keys(await listCounts(network, `TCP ${vip}:80`))).toHaveLength(3);
  });

  /** One command, ended at some moment of its work; false when it was done by then. */
  async function runAndKill(turn: number): Promise<boolean> {
    const edit = network.realServers.map(
      (one) =>
        `-e -t ${vip}:80 -r ${destination(network, one, 80)} ${methodOption(network)} -w ${1 + ((turn + Number(one.name.slice(2))) % 3)}`,
    );
    const others = [`-A -t ${vip}:${1000 + turn} -s wlc`, `-a -t ${vip}:${1000 + turn} -r 10.1.0.99:80 -m`];
    const commands = [
      { command: [ipvsadm, '-R'], input: `${[...edit, ...others].join('\n')}\n` },
      { command: [ipvsadm, '-Ln', '--stats'], input: '' },
      { command: [fairlead, 'attach'], input: '' },
      { command: [ipvsadm, '-Z'], input: '' },
    ];
    const { command = [], input = '' } = commands[turn % commands.length] ?? {};
    const momentMs = 100 + Math.round(Math.random() * 700);
    return network.director.attempt(command, { input }, AbortSignal.timeout(momentMs)).then(
      ({ status, stderr }) => {
        expect([status, stderr]).toEqual([0, '']);
        return false;
      },
      () => true,
    );
  }
});

describe.each(['masq', 'gate'] as const)('with no process of ours, %s', (method) => {
  beforeEach(() => begin(method));

  test('schedules, counts, and ends what is idle at its timeout', async () => {
    await network.director.run(ipvsadm, '--set', '5', '3', '4');
    const held = await openMany('tcp', 6);
    const told = await openMany('udp', 3);
    expect(await counts('TCP')).toEqual(everywhere('2/0'));
    expect(await counts('UDP')).toEqual(everywhere('0/1'));

    for (const talk of held.slice(0, 3)) await close(talk);
    expect(await counts('TCP')).toEqual(everywhere('1/1'));

    const beganMs = performance.now();
    for (const talk of [...held.slice(3), ...told]) expect(await talk.ask()).toBe(talk.name);
    const remaining = method === 'masq' ? 3 : 0; // in TIME_WAIT, which --set does not name
    await until(async () => (await listConnections(network)).size === remaining, { timeoutMs: 12_000, everyMs: 100 });
    const idleMs = performance.now() - beganMs;
    expect(idleMs).toBeGreaterThan(4_900);
    expect(idleMs).toBeLessThan(10_000);
    expect(await counts('TCP')).toEqual(everywhere(method === 'masq' ? '0/1' : '0/0'));
    expect(await counts('UDP')).toEqual(everywhere('0/0'));
    await openMany('tcp', 1);
  });
});

interface Step {
  readonly act: (talk: Talk) => Promise<void>;
  /** With the seconds that it lasts, as seen where both directions pass, and where only the client's does. */
  readonly both: readonly [string, number];
  readonly oneWay: readonly [string, number];
}

const steps: readonly Step[] = [
  { act: async () => {}, both: ['ESTABLISHED', 900], oneWay: ['ESTABLISHED', 900] },
  { act: async (talk) => talk.end(), both: ['CLOSE_WAIT', 60], oneWay: ['FIN_WAIT', 120] },
  { act: (talk) => talk.tell('fin'), both: ['FIN_WAIT', 120], oneWay: ['ESTABLISHED', 900] },
  { act: close, both: ['TIME_WAIT', 120], oneWay: ['FIN_WAIT', 120] },
  { act: async (talk) => talk.reset(), both: ['CLOSE', 10], oneWay: ['CLOSE', 10] },
  { act: (talk) => talk.tell('rst'), both: ['CLOSE', 10], oneWay: ['ESTABLISHED', 900] },
];

test.each(['masq', 'gate', 'tunnel', 'fullnat'] as const)(
  'connections of %s are in the states of IPVS',
  async (method) => {
    await begin(method);
    const option = methodOption(network);
    await restore(network, [
      ...[`-A -t ${vip}:9 -s rr`, `-a -t ${vip}:9 -r 10.1.0.99:9 ${option}`], // no such host
      ...[`-A -t ${vip}:10 -s rr`, `-a -t ${vip}:10 -r 10.1.0.1:10 ${option}`], // nothing listens there
    ]);
    await expect(talker.open('tcp', { port: 9, timeoutMs: 300 })).rejects.toThrow('not within');
    await expect(talker.open('tcp', { port: 10 })).rejects.toThrow('ECONNREFUSED');
    const side = method === 'masq' || method === 'fullnat' ? 'both' : 'oneWay';
    const expected: Record<number, readonly [string, number]> = {};
    for (const step of steps) {
      const [talk] = await openMany('tcp', 1);
      if (talk === undefined) continue;
      await step.act(talk);
      expected[talk.localPort] = step[side];
    }
    const rows = await listConnections(network);
    for (const [port, [state, timeoutS]] of Object.entries(expected)) {
      const row = rows.get(Number(port));
      expect(row).toMatchObject({ state });
      expect(row?.expiresInS).toBeLessThanOrEqual(timeoutS);
      expect(row?.expiresInS).toBeGreaterThan(timeoutS - 8);
    }
    const stateOf = (end: string): string | undefined =>
      [...rows.values()].find((row) => row.destination.endsWith(end))?.state;
    expect(stateOf('99:9')).toBe('SYN_RECV');
    expect(stateOf('.1:10')).toBe(side === 'both' ? 'CLOSE' : 'SYN_RECV');
  },
);

test.each(['masq', 'gate'] as const)(
  'a destination of %s that is deleted answers no more, and comes back with its connections and counters',
  async (method) => {
    await begin(method);
    const talks = await openMany('tcp', 3);
    const rs2 = network.realServers[1];
    const destinationOfRs2 = destination(network, rs2, 7);
    await network.director.run(ipvsadm, '-d', '-t', talkService, '-r', destinationOfRs2);
    for (const talk of talks)
      expect(await talk.ask({ timeoutMs: 600 })).toBe(talk.name === 'rs2' ? undefined : talk.name);
    await network.director.run(ipvsadm, '-a', '-t', talkService, '-r', destinationOfRs2, methodOption(network));
    expect(await counts('TCP')).toEqual(everywhere('1/0'));
    const stats = await network.director.run(ipvsadm, '-Ln', '--stats', '-t', talkService);
    expect(stats).toMatch(new RegExp(`${destinationOfRs2} +1 `));
    for (const talk of talks) expect(await talk.ask()).toBe(talk.name);
  },
);

test('connections come back when the whole table was cleared and is entered again', async () => {
  await begin('masq');
  const talks = await openMany('tcp', 3);
  await network.director.run(ipvsadm, '-C');
  expect(await network.director.run(ipvsadm, '-Sn')).toBe('');
  for (const talk of talks) expect(await talk.ask({ timeoutMs: 300 })).toBeUndefined();
  await restore(network, serviceLines(network, { protocol: 'tcp', port: 7 }));
  expect(await counts('TCP')).toEqual(everywhere('1/0'));
  for (const talk of talks) expect(await talk.ask()).toBe(talk.name);
});

test('a destination that is quiesced keeps its connections and gets no new ones', async () => {
  await begin('masq');
  const talks = await openMany('tcp', 3);
  const rs2 = destination(network, network.realServers[1], 7);
  await network.director.run(ipvsadm, '-e', '-t', talkService, '-r', rs2, methodOption(network), '-w', '0');
  for (const talk of talks) expect(await talk.ask()).toBe(talk.name);
  const more = await openMany('tcp', 4);
  expect(new Set(more.map(({ name }) => name))).toEqual(new Set(['rs1', 'rs3']));
});

/** Each answered once; with the real server's name. */
async function openMany(
  protocol: 'tcp' | 'udp',
  count: number,
): Promise<(Talk & { readonly name: string | undefined })[]> {
  const talks: (Talk & { name: string | undefined })[] = [];
  while (talks.length < count) {
    const talk = await talker.open(protocol);
    talks.push({ ...talk, name: await talk.ask() });
  }
  return talks;
}

async function close(talk: Talk): Promise<void> {
  await talk.tell('fin');
  talk.end();
}

function counts(protocol: 'TCP' | 'UDP'): Promise<Record<string, string>> {
  return listCounts(network, `${protocol} ${talkService}`);
}

function everywhere(count: string): Record<string, string> {
  return Object.fromEntries(network.realServers.map((one) => [destination(network, one, 7), count]));
}
