// The tables and cursors computed here, walked as a packet walks them, give the sequences that the kernel's IPVS gave.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type EditedSchedule, readEditedSchedules, realServer } from '../../test/reference/edited-schedules.ts';
import { type Candidate, choose, type Ends, type Tables } from '../../test/reference/schedulers.ts';
import { parseAddress } from '../model/address.ts';
import { schedulerFlagBits } from '../model/scheduler-flags.ts';
import { type Scheduler, schedulers } from '../model/service.ts';
import { bucketsOf } from './buckets.ts';
import { freshCursor, movedCursor } from './cursor.ts';
import { descentOf } from './descent.ts';
import type { Listed } from './edits.ts';
import { lastWeights } from './last-weights.ts';
import { maglevOf } from './maglev.ts';

/** Connections are made in order; '|' stands for the next edit; 'x' for a refusal. */
interface Recording {
  readonly scheduler: Scheduler;
  readonly flags: readonly string[];
  readonly weights: readonly number[];
  /** Of the real servers. */
  readonly port: number;
  readonly isHeld: boolean;
  readonly sequence: string;
  readonly endsOf: (connection: number) => Ends;
}

const client = 0x0a000001;
const vip = 0x0a000064;
const recordings = readFileSync(new URL('../../test/fixtures/sched.txt', import.meta.url), 'utf8').split('\n');
/** Recorded nowhere: none of Debian's kernels has it. */
const unrecorded: readonly Scheduler[] = ['twos'];

describe('recorded from Linux 6.1', () => {
  const played = recordings.map(parse).filter((recording) => recording !== undefined);
  const edited = readEditedSchedules();
  it('holds every scheduler', () => {
    const found = new Set([...played, ...edited].map(({ scheduler }) => scheduler));
    expect([...found, ...unrecorded].sort()).toEqual([...schedulers].sort());
    expect(played.length).toBeGreaterThan(110);
  });
  it.each(played.map((recording) => [label(recording), recording] as const))('%s', (_, recording) => {
    expect(play(recording)).toBe(recording.sequence);
  });
  it.each(edited.map((schedule) => [schedule.text, schedule] as const))('%s', (_, schedule) => {
    const wanted = schedule.steps.flatMap((step) => (step.kind === 'connect' ? [step.goals] : []));
    expect(playEdited(schedule)).toEqual(wanted);
  });
});

function label({ scheduler, flags, weights, isHeld, sequence }: Recording): string {
  return `${scheduler} ${flags} ${weights} ${isHeld ? 'held' : 'short'} ${sequence}`;
}

function parse(line: string, index: number): Recording | undefined {
  const [, name, flags, weights, life, text] = /^(\S+) +(?:flags=(\S+) +)?w=(\S+) (short|held) +(.*)/.exec(line) ?? [];
  const scheduler = schedulers.find((known) => known === name);
  if (scheduler === undefined || weights === undefined || text === undefined) return undefined;
  // Not modelled: the lower threshold.
  if (text.startsWith('|')) return undefined;
  const sequence = text.replaceAll(/\(ERR[^)]*\)/g, 'x');
  const isMarked = flags === undefined;
  const hasManyClients =
    recordings.slice(0, index).some((earlier) => earlier.startsWith('# many client')) &&
    !recordings.slice(0, index).some((earlier) => earlier.startsWith('# table edits'));
  return {
    scheduler,
    flags: flags === undefined || flags === '-' ? [] : flags.split(','),
    weights: weights.split(',').map(Number),
    port: isMarked ? 0 : 80,
    isHeld: life === 'held',
    sequence,
    endsOf: (connection) => ({
      source: hasManyClients ? client + (connection % 20) : client,
      sourcePort: 20_000 + connection,
      destination: isMarked ? 0xcb007101 + (connection % 20) : vip,
    }),
  };
}

const edits: Readonly<Record<string, readonly ((service: Service) => void)[]>> = {
  'wrr 1,2,3,4': [(s) => s.edit('4', 1), (s) => s.remove('2'), (s) => s.add('2', 80, 5)],
  'rr 1,1,1,1': [(s) => s.remove('3'), (s) => s.add('3', 80, 1), (s) => s.edit('1', 0)],
  'wlc 1,2,3,4': [(s) => s.edit('1', 0)],
};

function play({ scheduler, flags, weights, port, isHeld, sequence, endsOf }: Recording): string {
  const service = new Service(4, scheduler, flags);
  for (const [index, weight] of weights.entries()) service.add(String(index + 1), port, weight);
  const script = [...(edits[`${scheduler} ${weights}`] ?? [])];
  let connection = 0;
  return [...sequence]
    .map((symbol) => {
      if (symbol === '|') {
        script.shift()?.(service);
        return symbol;
      }
      return service.connect(endsOf(connection++), isHeld);
    })
    .join('');
}

function playEdited({ family, scheduler, flags, steps, vip: address, client: from, clientPort }: EditedSchedule) {
  const service = new Service(family, scheduler, flags);
  const found: string[] = [];
  let connection = 0;
  for (const step of steps) {
    if (step.kind === 'scheduler') service.reschedule(step.scheduler, step.flags);
    else if (step.kind === 'connect') {
      const goals = Array.from(step.goals, () => {
        const at = connection++;
        const [source, destination] = [folded(from(at)), folded(address)];
        return service.connect({ source, sourcePort: clientPort(at), destination }, true);
      });
      found.push(goals.join(''));
    } else {
      const name = `${step.number}`;
      if (step.kind === 'add') service.add(name, step.port, step.weight, step.upperThreshold);
      else if (step.kind === 'edit') service.edit(name, step.weight, step.upperThreshold, step.lowerThreshold);
      else service.remove(name);
    }
  }
  return found;
}

interface Member extends Candidate, Listed {
  readonly name: string;
  readonly port: number;
  weight: number;
  lastWeight: number;
  upperThreshold: number;
}

class Service {
  tables: Tables<Member>;
  readonly #family: 4 | 6;

  constructor(family: 4 | 6, scheduler: Scheduler, flags: readonly string[]) {
    this.#family = family;
    const empty = { members: [], buckets: [], maxWeight: 0, weightStep: 1, cursor: 0n, cache: new Map() };
    this.tables = { scheduler, flags: schedulerFlagBits(flags), ...empty };
  }

  add(name: string, port: number, weight: number, upperThreshold = 0): void {
    const idle = { active: 0, inactive: 0, isFull: false, lastWeight: 0, method: 'masq' } as const;
    const member = { name, port, key: `${name}:${port}`, weight, upperThreshold, ...idle };
    this.#replace([member, ...this.tables.members]);
  }

  remove(name: string): void {
    this.#replace(this.tables.members.filter((member) => member.name !== name));
  }

  edit(name: string, weight: number, upperThreshold = 0, lowerThreshold = 0): void {
    const isFull = ({ active, inactive, isFull: was = false }: Member): boolean => {
      const connections = active + inactive;
      if (upperThreshold === 0 || connections >= upperThreshold) return upperThreshold > 0;
      return was && !(lowerThreshold > 0 ? connections < lowerThreshold : connections * 4 < upperThreshold * 3);
    };
    const change = (member: Member): Member => ({ ...member, weight, upperThreshold, isFull: isFull(member) });
    this.#replace(this.tables.members.map((member) => (member.name === name ? change(member) : member)));
  }

  reschedule(scheduler: Scheduler, flags: readonly string[]): void {
    const { members } = this.tables;
    const cursor = freshCursor(
      scheduler,
      members.map(({ weight }) => weight),
    );
    this.tables = { ...this.tables, scheduler, flags: schedulerFlagBits(flags), cursor };
    this.#replace(members);
  }

  /** The digit of who got it. */
  connect(ends: Ends, isHeld: boolean): string {
    const chosen = choose(this.tables, ends);
    if (chosen === undefined) return 'x';
    chosen[isHeld ? 'active' : 'inactive']++;
    if (chosen.upperThreshold > 0 && chosen.active + chosen.inactive >= chosen.upperThreshold) chosen.isFull = true;
    return chosen.name;
  }

  #replace(changed: readonly Member[]): void {
    const { scheduler, cursor } = this.tables;
    const remembered = lastWeights(this.tables.members, changed);
    const members = changed.map((member, index) => ({ ...member, lastWeight: remembered[index] ?? 0 }));
    const weights = members.map(({ weight }) => weight);
    this.tables = {
      ...this.tables,
      members,
      buckets: scheduler === 'mh' ? this.#maglev(members) : bucketsOf(scheduler, weights, 256),
      ...descentOf(weights),
      cursor: movedCursor(scheduler, cursor, this.tables.members, members),
    };
  }

  #maglev(members: readonly Member[]): readonly number[] {
    const preferences = members.map((member) => ({
      ...member,
      rip: parseAddress(realServer(this.#family, Number(member.name))),
    }));
    return maglevOf(this.#family, preferences, 4093);
  }
}

/** An address's words, as one. */
function folded(address: string): number {
  const bytes = Buffer.from(parseAddress(address).bytes);
  return Array.from({ length: bytes.length / 4 }, (_, word) => bytes.readUInt32BE(word * 4)).reduce((a, b) => a ^ b, 0);
}
