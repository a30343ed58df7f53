// One figure out of several runs: what a program costs a packet beyond what the generator does by itself.
import type { BpfProgram } from '../src/kernel/program.ts';
import type { Generator, Hook, Traffic } from './generator.ts';

export interface Sample {
  /** ns a packet of the generator alone, and with the program. */
  readonly floor: number;
  readonly whole: number;
}

/** ns a packet, net of the generator. */
export interface Figure {
  /** From the quietest runs: whatever else the machine does only ever adds. */
  readonly ns: number;
  readonly median: number;
}

/** The generator alone and then with the program, on the same packets: a slow while of the machine is in both. */
export function sample(
  generator: Generator,
  hook: Hook,
  program: BpfProgram,
  traffic: Traffic,
  packets: number,
): Sample {
  const floor = run(generator, hook, generator.program(`empty_${hook}`), traffic, packets);
  const whole = run(generator, hook, program, traffic, packets);
  return { floor, whole };
}

export function run(generator: Generator, hook: Hook, program: BpfProgram, traffic: Traffic, packets: number): number {
  generator.aim(hook, program);
  generator.plan(traffic);
  return generator.run(hook, packets);
}

export function toFigure(samples: readonly Sample[]): Figure {
  const floors = samples.map(({ floor }) => floor);
  const wholes = samples.map(({ whole }) => whole);
  return { ns: Math.min(...wholes) - Math.min(...floors), median: median(wholes) - median(floors) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
