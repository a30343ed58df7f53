// Runs inside the emulated machine: loads objects as they are, and prints of each all that the kernel says when it refuses, and a status.
import { basename } from 'node:path';

const built = (/** @type {string} */ path) => import(new URL(`../../dist/kernel/${path}`, import.meta.url).href);
const { BpfObject } = await built('object.js');
const { messages } = await built('libbpf.js');

for (const path of process.argv.slice(2)) {
  console.log(`=== ${basename(path)}`);
  const object = BpfObject.open(path);
  try {
    object.load();
    console.log('status 0');
  } catch (error) {
    console.log(`${error}\n${messages(Number.POSITIVE_INFINITY)}\nstatus 1`);
  } finally {
    object[Symbol.dispose]();
  }
}
