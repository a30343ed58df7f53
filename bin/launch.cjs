// Starts one of the command lines, or says that it has yet to be built. CommonJS, which starts sooner than modules do.
const { readFileSync, statSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname, join } = require('node:path');
const { constants, Script } = require('node:vm');

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
    require.extensions['.cjs'] = run;
    require(entry);
    return;
  }
  process.stderr.write(`${command}: not built yet: run \`npm run build\` in ${root}\n`);
  process.exitCode = 1;
};

/**
 * The build has compiled its files for its own Node. Another one does not take that, and compiles them itself.
 * @param {NodeModule} module
 * @param {string} path
 */
function run(module, path) {
  const script = new Script(wrap(readFileSync(path, 'utf8')), {
    filename: path,
    cachedData: readIfThere(`${path}.code`),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  script.runInThisContext()(module.exports, createRequire(path), module, path, dirname(path));
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
