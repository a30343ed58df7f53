// What the code is held to without running it: types, lint and format. Used by `npm run check` and by the tests.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ name: string, command: string, args: string[], mend: string[] | undefined, isAvailable: boolean }} Check */

/**
 * @param {string} root
 * @returns {Check[]}
 */
export function checks(root) {
  const tool = (/** @type {string} */ name) => join(root, 'node_modules', '.bin', name);
  const c = cSources(root);
  return [
    {
      name: 'TypeScript finds no errors, in tests and setup too',
      command: tool('tsc'),
      args: ['-p', 'tsconfig.test.json'],
      mend: undefined,
      isAvailable: true,
    },
    {
      name: 'biome finds nothing to mend',
      command: tool('biome'),
      args: ['check', '--error-on-warnings'],
      mend: ['check', '--write'],
      isAvailable: true,
    },
    {
      name: 'clang-format 16 finds nothing to mend', // other versions judge differently
      command: 'clang-format-16',
      args: ['--dry-run', '-Werror', ...c],
      mend: ['-i', ...c],
      isAvailable: existsSync('/usr/bin/clang-format-16') && c.length > 0,
    },
  ];
}

/** @param {string} root */
function cSources(root) {
  return ['bpf', 'bench', 'test'].flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => /\.[ch]$/.test(name))
          .map((name) => join(folder, name))
      : [],
  );
}
