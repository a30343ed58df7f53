// The tables and cursors computed here, walked as a packet walks them, give the sequences that the kernel's IPVS gave.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Candidate, choose, type Tables } from '../../test/reference/schedulers.ts';
import { type Scheduler, schedulers } from '../model/service.ts';
import { bucketsOf } from './buckets.ts';
import { movedCursor } from './cursor.ts';
import { descentOf } from './descent.ts';

/** Connections are made in order; '|' stands for the next edit; 'x' for a refusal. */
interface Recording {
  readonly scheduler: Scheduler;
  readonly weights: readonly number[];
  readonly isHeld: boolean;
  readonly sequence: string;
  readonly addressesOf: (connection: number) => { source: number; destination: number };
}

const client = 0x0a000001;
const vip = 0x0a000064;
const recordings = readFileSync(new URL('../../test/fixtures/sched.txt', import.meta.url), 'utf8').split('\n');

describe('recorded from Linux 6.1', () => {
  const played = recordings.map(parse).filter((recording) => recording !== undefined);
  it('holds every scheduler', () => {
    expect(new Set(played.map(({ scheduler }) => scheduler))).toEqual(new Set(schedulers));
    expect(played.length).toBeGreaterThan(70);
  });
  it.each(played.map((recording) => [label(recording), recording] as const))('%s', (_, recording) => {
    expect(play(recording)).toBe(recording.sequence);
  });
});

function label({ scheduler, weights, isHeld, sequence }: Recording): string {
  return `${scheduler} ${weights} ${isHeld ? 'held' : 'short'} ${sequence}`;
}

function parse(line: string, index: number): Recording | undefined {
  const [, name, flags, weights, life, text] = /^(\S+) +(?:flags=(\S+) +)?w=(\S+) (short|held) +(.*)/.exec(line) ?? [];
  const scheduler = schedulers.find((known) => known === name);
  if (scheduler === undefined || weights === undefined || text === undefined) return undefined;
  // Not modelled: sh's flags, and thresholds.
  if ((flags !== undefined && flags !== '-') || text.startsWith('|')) return undefined;
  const sequence = text.replaceAll(/\(ERR[^)]*\)/g, 'x');
  const isMarked = flags === undefined;
  const hasManyClients =
    recordings.slice(0, index).some((earlier) => earlier.startsWith('# many client')) &&
    !recordings.slice(0, index).some((earlier) => earlier.startsWith('# table edits'));
  return {
    scheduler,
    weights: weights.split(',').map(Number),
    isHeld: life === 'held',
    sequence,
    addressesOf: (connection) => ({
      source: hasManyClients ? client + (connection % 20) : client,
      destination: isMarked ? 0xcb007101 + (connection % 20) : vip,
    }),
  };
}

const edits: Readonly<Record<string, readonly ((service: Service) => void)[]>> = {
  'wrr 1,2,3,4': [(s) => s.weigh('4', 1), (s) => s.remove('2'), (s) => s.add('2', 5)],
  'rr 1,1,1,1': [(s) => s.remove('3'), (s) => s.add('3', 1), (s) => s.weigh('1', 0)],
  'wlc 1,2,3,4': [(s) => s.weigh('1', 0)],
};

function play({ scheduler, weights, isHeld, sequence, addressesOf }: Recording): string {
  const service = new Service(scheduler);
  for (const [index, weight] of weights.entries()) service.add(String(index + 1), weight);
  const script = [...(edits[`${scheduler} ${weights}`] ?? [])];
  let connection = 0;
  return [...sequence]
    .map((symbol) => {
      if (symbol === '|') {
        script.shift()?.(service);
        return symbol;
      }
      const chosen = choose(service.tables, addressesOf(connection++));
      if (chosen !== undefined) chosen[isHeld ? 'active' : 'inactive']++;
      return chosen?.name ?? 'x';
    })
    .join('');
}

class Service {
  tables: Tables;

  constructor(scheduler: Scheduler) {
    this.tables = { scheduler, members: [], buckets: [], maxWeight: 0, weightStep: 1, cursor: 0n, cache: new Map() };
  }

  add(name: string, weight: number): void {
    this.#replace([{ name, weight, active: 0, inactive: 0 }, ...this.tables.members]);
  }

  remove(name: string): void {
    this.#replace(this.tables.members.filter((member) => member.name !== name));
  }

  weigh(name: string, weight: number): void {
    this.#replace(this.tables.members.map((member) => (member.name === name ? { ...member, weight } : member)));
  }

  #replace(members: readonly Candidate[]): void {
    const { scheduler, cursor, cache } = this.tables;
    const weights = members.map(({ weight }) => weight);
    this.tables = {
      scheduler,
      members,
      buckets: bucketsOf(scheduler, weights, 256),
      ...descentOf(weights),
      cursor: movedCursor(scheduler, cursor, listed(this.tables.members), listed(members)),
      cache,
    };
  }
}

function listed(members: readonly Candidate[]): { key: string; weight: number; method: 'masq' }[] {
  return members.map(({ name, weight }) => ({ key: name, weight, method: 'masq' }));
}
