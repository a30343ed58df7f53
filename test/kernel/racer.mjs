// One side of a race, a process of its own on one CPU: runs a pinned program `repeat` times a call, for so many calls.
const { BpfProgram } = await import(new URL('../../dist/kernel/program.js', import.meta.url).href);

const [path = '', repeat = '1', calls = '1'] = process.argv.slice(2);
const program = BpfProgram.openPinned(path);
for (let call = 0; call < Number(calls); call++) program.testRun({ packet: Buffer.alloc(60), repeat: Number(repeat) });
program[Symbol.dispose]();
