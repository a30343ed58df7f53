// Starts one of the command lines, or says that it has yet to be built.
import { statSync } from 'node:fs';

/** @param {'fairlead' | 'ipvsadm'} name */
export async function launch(name) {
  const entry = new URL(`../dist/cli/${name}/bin.js`, import.meta.url);
  // Not existsSync, which asks as the real user and without capabilities.
  if (statSync(entry, { throwIfNoEntry: false }) !== undefined) {
    await import(entry.href);
    return;
  }
  process.stderr.write(`${name}: not built yet: run \`npm run build\` in ${new URL('..', import.meta.url).pathname}\n`);
  process.exitCode = 1;
}
