// `node setup/precompile.mjs FOLDER...`: beside each .cjs what V8 makes of it, for compiling is most of a command's start. bin/launch.cjs
// hands it to the same V8 again.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

for (const folder of process.argv.slice(2)) {
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.cjs'))) {
    const path = join(folder, name);
    writeFileSync(`${path}.code`, compile(readFileSync(path, 'utf8'), path));
  }
}

/**
 * @param {string} source
 * @param {string} filename
 */
function compile(source, filename) {
  // All functions, not only those outside of others. What was compiled is refused where flags are other than when it is written.
  setFlagsFromString('--no-lazy');
  const script = new Script(Module.wrap(source), { filename });
  setFlagsFromString('--lazy');
  return script.createCachedData();
}
