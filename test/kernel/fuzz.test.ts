// Packets that nobody would send: never misforwarded, never changed by halves, and none dropped without a reason.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzz } from '../fuzz/fuzz.ts';
import { openScene } from '../fuzz/scene.ts';
import { type Feeder, openFeeder } from './feeder.ts';
import type { Stage } from './stage.ts';

/** `npm run fuzz` has more, and other seeds: here the same packets each time. */
const PACKETS = 50_000;

let stage: Stage;
let feeder: Feeder;

beforeAll(() => {
  stage = openScene();
  feeder = openFeeder(stage);
});

afterAll(() => {
  feeder?.[Symbol.dispose]();
  stage?.[Symbol.dispose]();
});

test('what holds of every packet', () => {
  const { findings, verdicts } = fuzz(stage, feeder, { seed: 1, isEnough: (packets) => packets >= PACKETS });
  expect(findings).toEqual([]);
  // It would find nothing where nothing is forwarded.
  const expected = ['xdp pass', 'xdp redirect', 'xdp drop', 'tc pass', 'tc redirect', 'tc drop'];
  expect(expected.filter((name) => verdicts[name] === undefined)).toEqual([]);
});
