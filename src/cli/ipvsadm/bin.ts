// ipvsadm, ipvsadm-save or ipvsadm-restore as a process, on this network namespace's data plane.
import { fstatSync } from 'node:fs';
import { basename } from 'node:path';
import { openDirector } from '../../dataplane/director.ts';
import { outputTo } from '../output.ts';
import type { Io } from './main.ts';
import { runAs } from './scripts.ts';

/** Only -R reads, and only edits ask for a terminal: what Node has for either takes milliseconds to load. */
const io: Io = {
  get stdin() {
    return process.stdin;
  },
  stdout: outputTo(1),
  stderr: outputTo(2),
  get isWatched() {
    return fstatSync(2).isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(2);
  },
};

// Bundled as CommonJS, which has no await here.
void runAs(basename(process.argv[1] ?? ''), process.argv.slice(2), io, openDirector).then((status) => {
  process.exitCode = status;
});
