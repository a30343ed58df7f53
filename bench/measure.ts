// One figure out of several runs: what a program costs a packet beyond what the generator does by itself.
import type { BpfProgram } from '../src/kernel/program.ts';
import type { Generator, Hook, Run, Traffic } from './generator.ts';

export interface Sample {
  /** Net of the generator, in ns. */
  readonly net: number;
  /** The generator alone. */
  readonly floor: number;
  readonly verdict: number;
}

export interface Figure {
  readonly ns: number;
  readonly least: number;
  readonly most: number;
}

/** The generator alone and then with the program, on the same packets: what slows the machine down for a while slows both. */
export function sample(generator: Generator, hook: Hook, program: BpfProgram, traffic: Traffic, packets: number): Sample {
  const floor = run(generator, hook, generator.program(`empty_${hook}`), traffic, packets);
  const whole = run(generator, hook, program, traffic, packets);
  return { net: whole.ns - floor.ns, floor: floor.ns, verdict: whole.verdict };
}

export function run(generator: Generator, hook: Hook, program: BpfProgram, traffic: Traffic, packets: number): Run {
  generator.aim(hook, program);
  generator.plan(traffic);
  return generator.run(hook, packets);
}

/** The median, and how far the runs were apart. */
export function figure(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const [least = 0, most = 0] = [sorted[0], sorted.at(-1)];
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return { ns: sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2, least, most };
}
