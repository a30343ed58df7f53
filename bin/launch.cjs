// Starts one of the command lines, or says that it has yet to be built. CommonJS, which starts sooner than modules do.
const { statSync } = require('node:fs');
const { join } = require('node:path');

/**
 * @param {'fairlead' | 'ipvsadm'} name
 * @param {string} command What it goes by: one build may be several commands.
 */
exports.launch = (name, command = name) => {
  const root = join(__dirname, '..');
  const entry = join(root, 'dist', name, 'bin.cjs');
  // Not existsSync, which asks as the real user and without capabilities.
  if (statSync(entry, { throwIfNoEntry: false }) !== undefined) {
    // It may have been called by a link of another name.
    process.argv[1] = join(__dirname, command);
    require(entry);
    return;
  }
  process.stderr.write(`${command}: not built yet: run \`npm run build\` in ${root}\n`);
  process.exitCode = 1;
};
