// Scenarios made from a seed: the same seed makes the same ones.

import { type Random, randomFrom } from '../../random.ts';
import type { Scenario } from '../scenario.ts';
import { commands } from './commands.ts';
import { packets } from './packets.ts';
import { states } from './states.ts';
import { traffic } from './traffic.ts';

const kinds: Readonly<Record<string, (random: Random) => string>> = { commands, traffic, packets, states };

/** `count` of each kind. A scenario's own seed is in its name: kind-SEED is made from SEED alone. */
export function generatedScenarios(seed: number, count: number): readonly Scenario[] {
  return Object.entries(kinds).flatMap(([kind, make]) =>
    Array.from({ length: count }, (_, index) => {
      const own = (seed + index) >>> 0;
      return { name: `random/${kind}-${own}`, text: make(randomFrom(own)) };
    }),
  );
}
