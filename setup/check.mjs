// `npm run check`: every check, each with its own output; fails when one does. With --write it first mends what tools can.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checks } from './checks.mjs';
import { run } from './command.mjs';
import { say } from './say.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const available = checks(root).filter(({ isAvailable }) => isAvailable);
if (process.argv.includes('--write'))
  for (const { command, mend } of available) if (mend) run(command, mend, { cwd: root });
for (const { name, command, args } of available) {
  const isFine = run(command, args, { cwd: root });
  say(`${isFine ? 'yes' : 'NO'}: ${name}`);
  if (!isFine) process.exitCode = 1;
}
