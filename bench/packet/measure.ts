// One figure out of several runs: what a program costs a packet beyond what the generator does by itself.
import type { BpfProgram } from '../../src/kernel/program.ts';
import { type Facts, type Figure, quantile, type Row } from '../row.ts';
import type { Generator, Hook, Traffic } from './generator.ts';

export interface Sample {
  /** ns a packet of the generator alone, and with the program. */
  readonly floor: number;
  readonly whole: number;
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

export function toRow(name: string, facts: Facts, samples: readonly Sample[]): Row {
  return { name, ...facts, unit: 'ns', ...toFigure(samples) };
}

/** ns a packet, net of the generator. */
function toFigure(samples: readonly Sample[]): Figure {
  const floors = samples.map(({ floor }) => floor);
  const wholes = samples.map(({ whole }) => whole);
  const floor = quantile(floors, 0.5);
  return {
    value: Math.min(...wholes) - Math.min(...floors),
    median: quantile(wholes, 0.5) - floor,
    low: quantile(wholes, 0.25) - floor,
    high: quantile(wholes, 0.75) - floor,
    runs: samples.length,
  };
}
