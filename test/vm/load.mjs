// Runs inside the emulated machine: loads each object named, and prints what the kernel said, by path; '' if nothing.

const built = (/** @type {string} */ path) => import(new URL(`../../dist/kernel/${path}`, import.meta.url).href);
const { BpfObject } = await built('object.js');
const { messages } = await built('libbpf.js');

/** @type {Record<string, string>} */
const answers = {};
for (const path of process.argv.slice(2)) answers[path] = load(path);
process.stdout.write(JSON.stringify(answers));

/** @param {string} path */
function load(path) {
  const object = BpfObject.open(path);
  try {
    object.load();
    return '';
  } catch (error) {
    return `${error}\n${messages(Infinity)}`;
  } finally {
    object[Symbol.dispose]();
  }
}
