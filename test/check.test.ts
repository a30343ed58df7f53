// The code is what the compilers, the linter and the formatters want: the same checks as `npm run check`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checks } from '../setup/checks.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const available = checks(root).filter(({ isAvailable }) => isAvailable);

test.each(available)('$name', ({ command, args }) => {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  expect(error).toBeUndefined();
  expect(status, `${stdout}${stderr}`).toBe(0);
});
