// Recordings of schedulers while services are edited (test/fixtures/sched-edits.txt, whose head says how to read it).
import { readFileSync } from 'node:fs';
import { type Scheduler, schedulers } from '../../src/model/service.ts';

/** A real server as a recording names it. */
interface Named {
  readonly number: number;
  readonly port: number;
}

interface Weighed extends Named {
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

export interface Scheduled {
  readonly scheduler: Scheduler;
  readonly flags: readonly string[];
}

export type Step =
  | ({ readonly kind: 'add' | 'edit' } & Weighed)
  | ({ readonly kind: 'delete' } & Named)
  | ({ readonly kind: 'scheduler' } & Scheduled)
  /** Where connections went, a digit each. */
  | { readonly kind: 'connect'; readonly goals: string };

export interface EditedSchedule extends Scheduled {
  readonly text: string;
  readonly family: 4 | 6;
  readonly steps: readonly Step[];
  /** Of the service, then of connection n. */
  readonly vip: string;
  readonly client: (connection: number) => string;
  readonly clientPort: (connection: number) => number;
}

export function readEditedSchedules(): readonly EditedSchedule[] {
  const text = readFileSync(new URL('../fixtures/sched-edits.txt', import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' || line.startsWith('#') ? [] : [toSchedule(line)]));
}

export function realServer(family: 4 | 6, number: number): string {
  return family === 4 ? `10.1.0.${number}` : `fd00:b::${number}`;
}

function toSchedule(text: string): EditedSchedule {
  const [family, port, scheduler = '', flags = '', ...steps] = text.split(' ');
  const isSix = family === '6';
  return {
    text,
    family: isSix ? 6 : 4,
    ...toScheduled(scheduler, flags),
    steps: steps.map(toStep),
    vip: isSix ? 'fd00:a::100' : '10.0.0.100',
    client: (connection) => `${isSix ? 'fd00:a::' : '10.0.0.'}${(connection % 20) + 1}`,
    clientPort: (connection) => Number(port) + connection,
  };
}

function toStep(text: string): Step {
  const [sign, words] = [text.slice(0, 1), text.slice(1)];
  if (sign === '>') return { kind: 'connect', goals: words };
  if (sign === '!') {
    const [name = '', flags = '-'] = words.split('/');
    return { kind: 'scheduler', ...toScheduled(name, flags) };
  }
  const [name = '', ...numbers] = words.split(':');
  const [weight = 0, upperThreshold = 0, lowerThreshold = 0] = numbers.map(Number);
  const [number, port = 80] = name.split('@').map(Number);
  const named = { number: number ?? 0, port };
  if (sign === '-') return { kind: 'delete', ...named };
  const kind = sign === '+' ? 'add' : 'edit';
  return { kind, ...named, weight, upperThreshold, lowerThreshold };
}

function toScheduled(name: string, flags: string): Scheduled {
  const scheduler = schedulers.find((known) => known === name);
  if (scheduler === undefined) throw new Error(`there is no scheduler ${name}`);
  return { scheduler, flags: flags === '-' ? [] : flags.split(',') };
}
