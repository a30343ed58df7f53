// What a change costs, in what is written to the kernel and read from it, does not depend on how much else is declared.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Daemon } from '../../src/control/daemon.ts';
import { Journal } from '../../src/control/journal.ts';
import { type DataplaneDirector, detach, openDirector } from '../../src/dataplane/director.ts';
import { openInstance } from '../../src/dataplane/instance.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import { findPlace } from '../../src/dataplane/place.ts';
import { BpfMap } from '../../src/kernel/map.ts';
import { destinationKey, serviceKey } from '../../src/model/table.ts';
import { silent } from '../api.ts';
import { serviceLine, serviceLines, toConfiguration } from '../scale/configuration.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

const perService = 5;
const small = 20;
const large = 200;
/** One amid the others. */
const changed = 7;
const edits: readonly (readonly [what: string, edit: (lines: string[]) => void])[] = [
  ['another weight', (lines) => lines.splice(changed, 1, serviceLine(changed, perService, 9))],
  ['a destination more', (lines) => lines.splice(changed, 1, serviceLine(changed, perService + 1))],
  ['a destination less', (lines) => lines.splice(changed, 1, serviceLine(changed, perService - 1))],
  ['another scheduler', (lines) => lines.splice(changed, 1, (lines[changed] ?? '').replace('wrr', 'sh'))],
  ['a service less', (lines) => lines.splice(changed, 1)],
  ['a service more', (lines) => lines.push(serviceLine(10_000, perService))],
  ['nothing', () => {}],
];

let stage: Stage;

beforeAll(() => {
  process.env.FAIRLEAD_CONNECTIONS = '4096';
});

afterEach(() => {
  stage?.[Symbol.dispose]();
  vi.restoreAllMocks();
});

describe('in a table ten times as large', () => {
  const stages: Stage[] = [];

  beforeAll(() => {
    for (const services of [small, large]) stages.push(new Stage(services));
  });

  afterAll(() => {
    for (const one of stages) one[Symbol.dispose]();
  });

  test.each(edits)('%s costs the same', (_, edit) => {
    const [few, many] = stages.map((one) => one.costOf(edit));
    expect(many?.entries).toEqual(few?.entries);
    // The names of what is declared are kept in blocks of 4 KiB, which are read and written all together.
    expect(Number(many?.written) - Number(few?.written)).toBeLessThanOrEqual(2);
    expect(Number(many?.read) - Number(few?.read)).toBeLessThanOrEqual(2);
  });
});

test('only what belongs to the service is another in the kernel', () => {
  stage = new Stage(large);
  const { entries } = stage.costOf((lines) => lines.splice(changed, 1, serviceLine(changed, perService, 9)));
  expect(entries).toEqual({ destinations: 1, instances: 1, members: perService });
});

test('what a command writes beside the daemon is seen with its next change, which puts declared services right', () => {
  stage = new Stage(small);
  const weights = (): readonly number[] =>
    stage.director.services().flatMap(({ destinations }) => destinations.map(({ weight }) => weight));
  stage.run(() => {
    using command = openDirector({ create: false });
    command?.change(({ services }) => ({
      services: services.map((one, index) =>
        index < 2 ? { ...one, destinations: one.destinations.map((each) => ({ ...each, weight: 77 })) } : one,
      ),
    }));
  });
  expect(weights().filter((weight) => weight === 77)).toHaveLength(2 * perService);
  const { difference } = stage.reload((lines) => lines.splice(changed, 1, serviceLine(changed, perService, 9)));
  expect(difference.services).toHaveLength(3);
  expect(weights().filter((weight) => weight !== 1)).toEqual([9]);
});

test('what is asked every second is asked of those services alone that it is about', () => {
  stage = new Stage(small);
  const [, key = ''] = stage.director.services().map(({ identity }) => serviceKey(identity));
  const loads = stage.director.loads(new Set([key, 'tcp 192.0.2.99:80']));
  const subjects = stage.director.services()[1]?.destinations.map((one) => `${key} ${destinationKey(one)}`);
  expect([...loads.keys()].sort()).toEqual(subjects?.sort());
  expect(loads.get(subjects?.[0] ?? '')).toEqual({ activeConnections: 0, inactiveConnections: 0, failures: 0 });
});

interface Cost {
  /** Elements that were written or deleted, and read, by system calls. */
  readonly written: number;
  readonly read: number;
  /** Of memory that is shared with the kernel, how many entries are others than before; by map. */
  readonly entries: Readonly<Record<string, number>>;
}

/** A daemon in a namespace of its own. */
class Stage implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fairlead-scale-'));
  readonly #namespace: TestNamespace = testNamespace();
  readonly #lines: string[];
  readonly director: DataplaneDirector;
  readonly #daemon: Daemon;

  constructor(services: number) {
    this.#lines = serviceLines({ services, destinations: services * perService });
    const [director, daemon] = this.run(() => {
      const opened = openDirector({ create: true });
      if (opened === undefined) throw new Error('there is no director');
      return [opened, this.#startDaemon(opened)];
    });
    this.director = director;
    this.#daemon = daemon;
  }

  run<T>(work: () => T): T {
    return this.#namespace.run(work);
  }

  reload(edit: (lines: string[]) => void): { readonly difference: ReturnType<Daemon['reload']> } {
    edit(this.#lines);
    return { difference: this.run(() => this.#daemon.reload()) };
  }

  /** The edit is taken back in the end. */
  costOf(edit: (lines: string[]) => void): Cost {
    const linesBefore = [...this.#lines];
    return this.run(() => {
      const place = findPlace(false);
      using maps = place && openInstance(place);
      if (maps === undefined) throw new Error('nothing is attached');
      const before = imagesOf(maps);
      const counts = countElements();
      this.reload(edit);
      const { written, read } = counts();
      const entries = differences(before, imagesOf(maps));
      this.reload((lines) => lines.splice(0, lines.length, ...linesBefore));
      return { written, read, entries };
    });
  }

  [Symbol.dispose](): void {
    try {
      this.#daemon?.[Symbol.dispose]();
      this.director?.[Symbol.dispose]();
      this.run(detach);
    } finally {
      this.#namespace[Symbol.dispose]();
      rmSync(this.#folder, { recursive: true });
    }
  }

  #startDaemon(director: DataplaneDirector): Daemon {
    const at = (name: string): string => join(this.#folder, name);
    return new Daemon({
      ...{ director, log: silent, journal: new Journal(at('journal')) },
      memory: { said: [at('said')], health: at('health') },
      load: () => ({ source: Buffer.from(toConfiguration(this.#lines)), name: 'large.yaml' }),
    });
  }
}

/** Returns how many there were since. */
function countElements(): () => { written: number; read: number } {
  const counts = { written: 0, read: 0 };
  const { update, updateBatch, delete: remove, lookup, entries } = BpfMap.prototype;
  const count = (kind: keyof typeof counts, more = 1): void => {
    counts[kind] += more;
  };
  vi.spyOn(BpfMap.prototype, 'update').mockImplementation(function (this: BpfMap, ...words) {
    count('written');
    update.apply(this, words);
  });
  vi.spyOn(BpfMap.prototype, 'updateBatch').mockImplementation(function (this: BpfMap, ...words) {
    count('written', words[2]);
    updateBatch.apply(this, words);
  });
  vi.spyOn(BpfMap.prototype, 'delete').mockImplementation(function (this: BpfMap, ...words) {
    count('written');
    return remove.apply(this, words);
  });
  vi.spyOn(BpfMap.prototype, 'lookup').mockImplementation(function (this: BpfMap, ...words) {
    count('read');
    return lookup.apply(this, words);
  });
  vi.spyOn(BpfMap.prototype, 'entries').mockImplementation(function* (this: BpfMap) {
    for (const entry of entries.apply(this)) {
      count('read');
      yield entry;
    }
  });
  return () => {
    vi.restoreAllMocks();
    return counts;
  };
}

/** What packets, which there are none of here, do not write by themselves. */
const shared = ['destinations', 'members', 'buckets', 'local_addresses', 'cursors', 'settings', 'instances'];

function imagesOf(maps: Maps): ReadonlyMap<string, { readonly bytes: Buffer; readonly stride: number }> {
  return new Map(
    shared.map((name) => {
      const map = maps.map(name);
      return [name, { bytes: Buffer.from(map.mmap().slice(0)), stride: Math.ceil(map.info.valueSize / 8) * 8 }];
    }),
  );
}

function differences(before: ReturnType<typeof imagesOf>, after: ReturnType<typeof imagesOf>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, { bytes, stride }] of before) {
    const now = after.get(name)?.bytes ?? bytes;
    for (let at = 0; at < bytes.length; at += stride) {
      if (!bytes.subarray(at, at + stride).equals(now.subarray(at, at + stride))) found[name] = (found[name] ?? 0) + 1;
    }
  }
  return found;
}
