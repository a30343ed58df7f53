// ipvsadm, ipvsadm-save or ipvsadm-restore as a process, on this network namespace's data plane.
import { basename } from 'node:path';
import { isatty } from 'node:tty';
import { openDirector } from '../../dataplane/director.ts';
import type { Io } from './main.ts';
import { runAs } from './scripts.ts';

/** What a shell makes of SIGPIPE, by which ipvsadm ends when `head` has seen enough. Node ignores the signal. */
const brokenPipeStatus = 141;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(brokenPipeStatus);
  process.stderr.write(`the output can't be written: ${error.message}\n`);
  process.exit(255);
});

/** Streams are made when they are asked for. */
const io: Io = {
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  isWatched: isatty(2),
};

// Bundled as CommonJS, which has no await here.
void runAs(basename(process.argv[1] ?? ''), process.argv.slice(2), io, openDirector).then((status) => {
  process.exitCode = status;
});
