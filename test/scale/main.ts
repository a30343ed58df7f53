// `npm run scale`: what a large configuration takes, in time and memory.
import { parseArgs } from 'node:util';
import { measureScale } from './scale.ts';

const usage = `npm run scale -- [OPTIONS]
  --services N        10000 if not given
  --destinations N    of all together; 100000 if not given
  --json              one JSON document on standard output
`;

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    destinations: { type: 'string', default: '100000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(usage);
else await main();

async function main(): Promise<void> {
  const [services, destinations] = [Number(values.services), Number(values.destinations)];
  if (!Number.isInteger(services) || services < 1) return refuse('--services: expected a number from 1 on');
  if (!Number.isInteger(destinations / services) || destinations < services)
    return refuse('--destinations: expected a multiple of the number of services');
  const result = await measureScale({ services, destinations }, (text) => process.stderr.write(`scale: ${text}\n`));
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(20)}${value}\n`);
}

function refuse(text: string): void {
  process.stderr.write(`scale: ${text}\n`);
  process.exitCode = 2;
}
