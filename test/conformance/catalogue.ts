// Every scenario there is: the hand-written ones of scenarios/, and those that are generated from a seed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.ts';
import { generatedScenarios } from './generate/generate.ts';
import type { Scenario } from './scenario.ts';

export interface Choice {
  /** Parts of names, or paths of scripts; none: everything. */
  readonly words: readonly string[];
  readonly seed: number;
  /** Of each generated kind. */
  readonly count: number;
}

const folder = join(root, 'test/conformance/scenarios');

export function chooseScenarios({ words, seed, count }: Choice): readonly Scenario[] {
  const all = [...writtenScenarios(), ...generatedScenarios(seed, count)];
  if (words.length === 0) return all;
  return words.flatMap((word) =>
    word.endsWith('.sh') && existsSync(word)
      ? [{ name: word, text: readFileSync(word, 'utf8') }]
      : all.filter(({ name }) => name.includes(word)),
  );
}

export function writtenScenarios(): readonly Scenario[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.sh'));
  return paths.sort().map((path) => ({ name: path.slice(0, -3), text: readFileSync(join(folder, path), 'utf8') }));
}
