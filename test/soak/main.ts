// `npm run soak`: a director under full load to which everything happens, and what clients noticed of it.
import { parseArgs } from 'node:util';
import { methods } from '../../src/model/service.ts';
import { soak } from './soak.ts';

const usage = `npm run soak -- [OPTIONS]
  --seconds N     how long; 300 if not given
  --reloads N     how often the daemon reads another file; 1000 if not given
  --kills N       how often it is killed and started again; 100 if not given
  --upgrades N    how often another build takes over, with other eBPF programs and other layouts of what they keep; 20 if not
                  given
  --method NAME   masq (if not given), gate, tunnel or fullnat
  --seed N        which real servers are drained, and when; else a new one each time
  --json          one JSON document on standard output
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    reloads: { type: 'string', default: '1000' },
    kills: { type: 'string', default: '100' },
    upgrades: { type: 'string', default: '20' },
    method: { type: 'string', default: 'masq' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(usage);
else await main();

async function main(): Promise<void> {
  const method = methods.find((one) => one === values.method);
  if (method === undefined) return refuse(`--method: expected one of ${methods.join(', ')}, got ${values.method}`);
  const numbers = Object.fromEntries(
    (['seconds', 'reloads', 'kills', 'upgrades'] as const).map((name) => [name, Number(values[name])]),
  ) as Record<'seconds' | 'reloads' | 'kills' | 'upgrades', number>;
  const wrong = Object.entries(numbers).find(([, value]) => !Number.isInteger(value) || value < 0);
  if (wrong !== undefined) return refuse(`--${wrong[0]}: expected a number from 0 on`);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const say = (text: string): void => void process.stderr.write(`soak: ${text}\n`);
  say(`${method}, seed ${seed}`);
  const { failures, ...result } = await soak({ method, ...numbers, seed, say });
  for (const failure of failures) say(failure);
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(10)}${value}\n`);
  if (result.failed > 0) process.exitCode = 1;
}

function refuse(text: string): void {
  process.stderr.write(`soak: ${text}\n`);
  process.exitCode = 2;
}
