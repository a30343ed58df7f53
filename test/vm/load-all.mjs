// Runs inside the emulated machine: has an attached director load the programs of every feature, and prints what the kernel says when it refuses.
const built = (/** @type {string} */ path) => import(new URL(`../../dist/${path}`, import.meta.url).href);
const { features } = await built('dataplane/features.js');
const { openInstance } = await built('dataplane/instance.js');
const { ensureFeatures } = await built('dataplane/load.js');
const { findPlace } = await built('dataplane/place.js');
const { messages } = await built('kernel/libbpf.js');

const maps = openInstance(findPlace(false));
try {
  ensureFeatures(maps, features);
} catch (error) {
  console.log(`${error}\n${messages(Number.POSITIVE_INFINITY)}`);
  process.exitCode = 1;
} finally {
  maps[Symbol.dispose]();
}
