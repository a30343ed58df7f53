// Connections and packets of a scene: made, sent again and again, and counted, so that no figure is of packets that went astray.
import type { Maps } from '../../src/dataplane/maps.ts';
import { type Method, methods } from '../../src/model/service.ts';
import type { Facts, Row } from '../row.ts';
import type { Family, Generator, Hook, Traffic } from './generator.ts';
import { run, type Sample, sample, toRow } from './measure.ts';
import { places, type Scene } from './scene.ts';

/** How much is measured. */
export interface Size {
  readonly runs: number;
  /** In a run, at the least. */
  readonly packets: number;
  /** New connections come in so many parts, each a sample. */
  readonly parts: number;
  readonly flows: readonly number[];
  readonly destinations: readonly number[];
  /** Methods whose services share a director: each alone has its connection table as large as users have it. */
  readonly together: readonly (readonly Method[])[];
  readonly markRules: readonly number[];
}

export const wholeSize: Size = {
  ...{ runs: 9, packets: 1 << 18, parts: 16 },
  ...{ flows: [1, 1 << 10, 1 << 16, 1 << 20], destinations: [10, 100, 1000] },
  ...{ together: methods.map((method) => [method]), markRules: [1, 1000] },
};
export const quickSize: Size = {
  ...{ runs: 3, packets: 1 << 14, parts: 4 },
  ...{ flows: [1, 1 << 10], destinations: [10] },
  ...{ together: [methods], markRules: [1] },
};

export interface Bench {
  readonly generator: Generator;
  readonly size: Size;
}

export type Stream = Omit<Traffic, 'client' | 'vip'> & { readonly family: Family };

/** XDP has packets come in by the scene's interface, TC's test runs by lo. */
export function traffic({ ingress }: Scene, hook: Hook, { family, ...rest }: Stream): Traffic {
  const { clients: client, vip } = places[family];
  return { client, vip, ...rest, ...(hook === 'xdp' ? { ingress } : {}) };
}

export interface Question {
  readonly scene: Scene;
  readonly hook: Hook;
  readonly name: string;
  readonly facts: Facts;
  /** What each packet adds one to. */
  readonly counter?: () => number;
  readonly packets: Traffic;
}

/** All of the traffic's packets, again and again. */
export function row(bench: Bench, question: Question): Row {
  const [only] = rowsInTurn(bench, [question]);
  if (only === undefined) throw new Error('expected a row');
  return only;
}

/** Their samples are taken in turn: what a slow while of the machine does to one it does to all. */
export function rowsInTurn({ generator, size }: Bench, questions: readonly Question[]): readonly Row[] {
  const asked = questions.map((question) => {
    const { scene, hook, packets, counter } = question;
    const program = scene.program(`director_${hook}`);
    const count = Math.max(packets.flows, size.packets);
    scene.run(() => run(generator, hook, program, packets, Math.max(packets.flows, 1 << 14))); // warms caches up
    const take = (): Sample => scene.run(() => sample(generator, hook, program, packets, count));
    return { ...question, count, take, before: counter?.() ?? 0, samples: [] as Sample[] };
  });
  for (let turn = 0; turn < size.runs; turn++) for (const { samples, take } of asked) samples.push(take());
  return asked.map(({ name, facts, counter, before, count, samples }) => {
    if (counter !== undefined) expectAll(`packets of ${name}`, counter() - before, size.runs * count);
    return toRow(name, facts, samples);
  });
}

/** Makes all the traffic's connections, in parts. */
export function fill({ generator, size }: Bench, scene: Scene, packets: Traffic): readonly Sample[] {
  const before = total(scene.maps, 'connections');
  const program = scene.program('director_xdp');
  let first = 0;
  const samples = Array.from({ length: size.parts }, () => {
    const made = scene.run(() => sample(generator, 'xdp', program, { ...packets, first }, packets.flows / size.parts));
    first = generator.next();
    return made;
  });
  expectAll('connections', total(scene.maps, 'connections') - before, packets.flows);
  return samples;
}

/** A few packets look routes up and leave the rest of their way to TC. */
function expectAll(what: string, got: number, expected: number): void {
  if (got < expected * 0.999) throw new Error(`${what}: expected ${expected}, the director counted ${got}`);
}

/** Of all destinations. */
export function total(maps: Maps, counter: string): number {
  const { cpus, destination_slots: slots } = maps.instance;
  const cells = maps.rows('counters').bigint(counter);
  const used = maps.rows('settings').number('destinations_used').get(0);
  let sum = 0n;
  for (let cpu = 0; cpu < cpus; cpu++) for (let slot = 0; slot < used; slot++) sum += cells.get(cpu * slots + slot);
  return Number(sum);
}
