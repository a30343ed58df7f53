// Packets of the same connections on two CPUs at once, while time sweeps the table and the services change: it stays sound.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { controlOf } from '../../src/dataplane/control.ts';
import type { Method, Service } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { type Feeder, openFeeder } from './feeder.ts';
import { destination, openStage, persistence, rip, type Stage, service, vip } from './stage.ts';
import { until } from './until.ts';

const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const locals = [77, 78, 79, 80].map((last) => `192.0.2.${last}`);
const [local = ''] = locals;
/** So few local ports that replies which guess them often meet a connection. */
const hostPorts = [1024, 61_439] as const;
const localPorts = [61_440, 65_535] as const;
const numbers = [1, 2, 3, 4];
const base = { vip, firstRip: rip(1), local, localPorts, flows: 0 } as const;

describe.each([
  ['a table with room', 65_536],
  ['a table that is too small', 1024],
])('in %s', (_, connections) => {
  let stage: Stage;
  let feeder: Feeder;

  beforeAll(() => {
    stage = openStage({ connections, hostPorts });
    feeder = openFeeder(stage);
    for (const name of racerNames) feeder.program(name).pin(pathOf(stage, name));
  });

  beforeEach(() => {
    stage.install(...services(numbers));
    stage.settle();
    stage.setTimeouts(900);
    stage.news();
  });

  afterAll(() => {
    feeder?.[Symbol.dispose]();
    stage?.[Symbol.dispose]();
  });

  test('the same new connection on both CPUs, wanting another real server on each, is entered once', async () => {
    stage.install(...services(numbers, locals));
    /* A quarter of all slots, and as many rest after what each race's loser filled; or four times as many as there are. */
    const steps = connections > 1024 ? connections / 2 : 8 * connections;
    feeder.prepare({ ...base, inStep: true, seed: 1 });
    await race(stage, steps, 1, () => {});
    const census = takeCensus(stage.maps);
    expect(census.violations).toEqual([]);
    const news = stage.news();
    const counted = stage.services().reduce((sum, { counters }) => sum + Number(counters.connections), 0);
    expect(counted).toBe(census.connections);
    if (connections > 1024) {
      expect(Object.keys(news).filter((name) => !['to-tc', 'flow-race'].includes(name))).toEqual([]);
      expect(census).toMatchObject({ connections: steps, replies: steps / 2 });
    }
  });

  test.each([1, 2, 3])(
    'any packets of some hundred connections leave the table sound, time ending them (%s)',
    async (seed) => {
      feeder.prepare({ ...base, inStep: false, flows: 400, seed });
      let round = 0;
      await race(stage, 100_000, 12, () => {
        stage.setTimeouts(round++ % 2 ? 900 : 0);
        stage.run(() => stage.program('start').testRun({})); // another sweep, now
      });
      stage.setTimeouts(900);
      await expectSound(stage);
      expect(stage.news()).toMatchObject({ expired: expect.any(Number) });
      await expectEmptied(stage);
    },
  );

  test('templates are entered once, held and ended, while real servers come and go', async () => {
    feeder.prepare({ ...base, inStep: false, flows: 400, seed: 5 });
    let round = 0;
    await race(stage, 100_000, 12, () => {
      stage.install(...persistent(numbers.filter((number) => number !== (round++ % 8) + 1)));
      stage.setTimeouts(round % 2 ? 900 : 0);
      endTemplates(stage);
      stage.run(() => stage.program('start').testRun({}));
    });
    stage.setTimeouts(900);
    await expectSound(stage);
    const census = takeCensus(stage.maps);
    expect(stage.news()).toMatchObject({ expired: expect.any(Number) });
    stage.setTimeouts(0);
    await until(() => takeCensus(stage.maps).connections === 0);
    await until(() => {
      endTemplates(stage);
      return takeCensus(stage.maps).templates === undefined;
    });
    await expectEmptied(stage);
    expect(census.templates).toBeGreaterThan(0);
  });

  test('what is remembered as the least loaded of many is that, when all rests', async () => {
    const many = Array.from({ length: 70 }, (_, index) => index);
    const least = services(numbers).map((one, at) => ({
      ...one,
      scheduler: (['wlc', 'lc', 'sed', 'nq'] as const)[at % 4] ?? 'wlc',
      destinations: many.map((index) =>
        destination(1 + (index % 4), 'masq', { port: 1000 + index, weight: index % 3 }),
      ),
    }));
    stage.install(...least);
    feeder.prepare({ ...base, inStep: false, flows: 2000, seed: 6 });
    let round = 0;
    await race(stage, 100_000, 12, () => {
      stage.setTimeouts(round++ % 2 ? 900 : 0);
      stage.run(() => stage.program('start').testRun({}));
    });
    stage.setTimeouts(900);
    await expectSound(stage);
    await expectEmptied(stage);
  });

  test('any packets leave the table sound while real servers come and go', async () => {
    feeder.prepare({ ...base, inStep: false, flows: 2000, seed: 4 });
    let round = 0;
    await race(stage, 100_000, 12, () =>
      stage.install(...services(numbers.filter((number) => number !== (round++ % 8) + 1))),
    );
    await expectSound(stage);
    await expectEmptied(stage);
  });
});

const racerNames = ['racer_one', 'racer_two'] as const;

function services(present: readonly number[], localAddresses: readonly string[] = [local]): readonly Service[] {
  return methods.map((method, index) => {
    const port = 80 + index;
    const destinations = present.map((number) => destination(number, method, { port }));
    return service({ port, scheduler: 'rr', destinations, localAddresses: method === 'fullnat' ? localAddresses : [] });
  });
}

/** Few clients' networks, so that many want one template. */
function persistent(present: readonly number[]): readonly Service[] {
  return services(present).map((one) => ({ ...one, persistence: persistence(1, '255.255.255.248') }));
}

/** Their time is over, unless a connection comes just now. What is entered or dead keeps its word for when it was seen. */
function endTemplates({ maps }: Stage): void {
  const flows = maps.rows('flows');
  const [ports, timeout, words] = [flows.bigint('ports'), flows.number('lease.timeout_s'), flows.number('control')];
  const bit = 1n << BigInt(maps.vocabulary.numbers.TEMPLATE_BIT);
  const { kind } = controlOf(maps.vocabulary.numbers);
  const live = maps.vocabulary.flowKinds.get('FLOW_LIVE');
  for (let slot = 0; slot < flows.length; slot++) {
    if (kind(words.get(slot)) === live && (ports.get(slot) & bit) !== 0n) timeout.set(slot, 0);
  }
}

/** Beside the director's own pins, with which it goes. */
function pathOf({ maps }: Stage, name: string): string {
  return join(maps.directory, name);
}

/** Both racers, each on a CPU of its own; `meanwhile` is done again and again until they are through. */
async function race(stage: Stage, repeat: number, calls: number, meanwhile: () => void): Promise<void> {
  const script = new URL('racer.mjs', import.meta.url).pathname;
  const children = racerNames.map((name, cpu) =>
    stage.run(() =>
      spawn(
        'taskset',
        ['-c', String(cpu), process.execPath, script, pathOf(stage, name), String(repeat), String(calls)],
        {
          stdio: ['ignore', 'inherit', 'inherit'],
        },
      ),
    ),
  );
  try {
    let running = children.length;
    const ends = children.map((child) => ended(child).finally(() => running--));
    const all = Promise.all(ends);
    await until(() => {
      meanwhile();
      return running === 0;
    }, 60_000);
    await all;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (status, signal) =>
      status === 0 ? resolve() : reject(new Error(`a racer ended with ${status ?? signal}`)),
    );
  });
}

/** A sweep may still be in the middle of ending a connection. */
async function expectSound({ maps }: Stage): Promise<void> {
  let violations: readonly string[] = [];
  const isSound = (): boolean => {
    ({ violations } = takeCensus(maps));
    return violations.length === 0;
  };
  await until(isSound, 3000).catch(() => {});
  expect(violations).toEqual([]);
}

async function expectEmptied(stage: Stage): Promise<void> {
  stage.setTimeouts(0);
  await until(() => takeCensus(stage.maps).connections === 0);
  stage.setTimeouts(900);
  await expectSound(stage);
  expect(takeCensus(stage.maps)).toEqual({ connections: 0, replies: 0, violations: [] });
}
