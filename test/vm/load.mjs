// Runs inside the emulated machine: loads an object as it is, and prints all that the kernel says when it refuses.
const built = (/** @type {string} */ path) => import(new URL(`../../dist/kernel/${path}`, import.meta.url).href);
const { BpfObject } = await built('object.js');
const { messages } = await built('libbpf.js');

const object = BpfObject.open(process.argv[2]);
try {
  object.load();
} catch (error) {
  console.log(`${error}\n${messages(Number.POSITIVE_INFINITY)}`);
  process.exitCode = 1;
} finally {
  object[Symbol.dispose]();
}
