// `npm run fuzz`: random and damaged packets through the programs, as many as one likes.
import { parseArgs } from 'node:util';
import { openFeeder } from '../kernel/feeder.ts';
import { fuzz } from './fuzz.ts';
import { openScene } from './scene.ts';

const usage = `npm run fuzz -- [OPTIONS]
  --packets N    how many; else ten million
  --seed N       what they are made from; else a new one each time, which is printed
`;

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '10000000' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(usage);
else main(Number(values.packets), Number(values.seed ?? Math.floor(Math.random() * 2 ** 31)));

function main(wanted: number, seed: number): void {
  using stage = openScene();
  using feeder = openFeeder(stage);
  const start = performance.now();
  let told = start;
  const isEnough = (packets: number): boolean => {
    if (performance.now() - told > 10_000) {
      told = performance.now();
      process.stderr.write(`fuzz: ${packets} packets\n`);
    }
    return packets >= wanted;
  };
  process.stderr.write(`fuzz: seed ${seed}\n`);
  const { packets, verdicts, findings } = fuzz(stage, feeder, { seed, isEnough });
  const seconds = (performance.now() - start) / 1000;
  for (const [name, count] of Object.entries(verdicts).sort()) process.stdout.write(`${name.padEnd(14)}${count}\n`);
  for (const finding of findings) process.stdout.write(`${JSON.stringify(finding, undefined, 2)}\n`);
  process.stdout.write(`${packets} packets in ${seconds.toFixed(0)} s, ${findings.length} findings (seed ${seed})\n`);
  if (findings.length > 0) process.exitCode = 1;
}
