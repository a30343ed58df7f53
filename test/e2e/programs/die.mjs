// Makes a real server, or undoes it, and is killed after so many steps: `die.mjs STEPS add WANTED` or `die.mjs STEPS reset`.
/** @type {typeof import('../../../src/realserver/agent.ts')} */
const { add, reset } = await import(String(new URL('../../../dist/realserver/agent.js', import.meta.url)));

const [steps, verb, wanted = ''] = process.argv.slice(2);
const work = verb === 'add' ? add(JSON.parse(wanted)) : reset();
for (let step = 0; step < Number(steps); step++) if (work.next().done) process.exit(0);
process.kill(process.pid, 'SIGKILL');
