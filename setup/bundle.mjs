// `node setup/bundle.mjs FOLDER`: each command line in as few files as it can be, for most of what one takes is its start; and what a
// package puts into /usr/share: manual pages and completions, which the command itself makes.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const [folder = ''] = process.argv.slice(2);

for (const name of ['ipvsadm', 'fairlead']) {
  const bundle = await rolldown({
    input: join(folder, 'cli', name, 'bin.js'),
    platform: 'node',
    // It brings a native library along.
    external: ['koffi'],
  });
  // CommonJS: Node's loader for modules alone takes 15 ms. The folder is as deep as those of the modules, whose relative
  // URLs stay right.
  await bundle.write({
    dir: join(folder, name),
    format: 'cjs',
    entryFileNames: 'bin.cjs',
    chunkFileNames: '[name].cjs',
  });
  await bundle.close();
}

run(fileURLToPath(new URL('precompile.mjs', import.meta.url)), join(folder, 'ipvsadm'), join(folder, 'fairlead'));

const fairlead = join(folder, 'fairlead', 'bin.cjs');
const share = join(folder, 'share');
ask('manual', '--all', join(share, 'man', 'man8'));
writeCompletion('bash', 'bash-completion/completions', 'fairlead');
writeCompletion('zsh', 'zsh/vendor-completions', '_fairlead');

/**
 * @param {'bash' | 'zsh'} shell
 * @param {string} place
 * @param {string} name
 */
function writeCompletion(shell, place, name) {
  mkdirSync(join(share, place), { recursive: true });
  writeFileSync(join(share, place, name), ask('completion', shell));
}

/** @param {string[]} words */
function ask(...words) {
  return run(fairlead, ...words);
}

/** @param {string[]} words A script and its arguments. */
function run(...words) {
  const { status, stdout } = spawnSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error(`${words.join(' ')}: status ${status}`);
  return stdout;
}
