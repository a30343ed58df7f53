// `node probe.mjs`: in a director's namespace, answers each line of JSON (paths, target's path, check) with a verdict.
import { createInterface } from 'node:readline';

const dist = (/** @type {string} */ path) => import(new URL(`../../../dist/${path}`, import.meta.url).href);
const { ProbePaths, pathKey } = await dist('dataplane/probe-paths.js');
const { probe } = await dist('health/probe.js');
const { parseAddress } = await dist('model/address.js');

const paths = ProbePaths.open();
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { all, port, check, timeoutMs } = JSON.parse(line, (key, value) =>
    key === 'vip' || key === 'rip' ? parseAddress(value) : value,
  );
  const addresses = paths.set(all);
  paths.attach();
  const asked = all.map((/** @type {{ rip: object }} */ path) =>
    probe(
      { address: addresses.get(pathKey(path)), port, rip: path.rip },
      check,
      timeoutMs,
      new AbortController().signal,
    ),
  );
  process.stdout.write(`${JSON.stringify(await Promise.all(asked))}\n`);
}
paths[Symbol.dispose]();
process.stdout.write('gone\n');
