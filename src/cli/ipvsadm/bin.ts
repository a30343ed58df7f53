// ipvsadm, ipvsadm-save or ipvsadm-restore as a process, on this network namespace's data plane.
import { fstatSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { openDirector } from '../../dataplane/director.ts';
import type { Io, Sink } from './main.ts';
import { runAs } from './scripts.ts';

/** What a shell makes of SIGPIPE, by which ipvsadm ends when `head` has seen enough. Node ignores the signal. */
const brokenPipeStatus = 141;
const pauseMs = 2;

/** Only -R reads, and only edits ask for a terminal: what Node has for either takes milliseconds to load. */
const io: Io = {
  get stdin() {
    return process.stdin;
  },
  stdout: sinkOf(1),
  stderr: sinkOf(2),
  get isWatched() {
    return fstatSync(2).isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(2);
  },
};

// Bundled as CommonJS, which has no await here.
void runAs(basename(process.argv[1] ?? ''), process.argv.slice(2), io, openDirector).then((status) => {
  process.exitCode = status;
});

function sinkOf(fd: number): Sink {
  return {
    write(text) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSome(fd, bytes, at);
    },
  };
}

/** The number of bytes written. */
function writeSome(fd: number, bytes: Buffer, at: number): number {
  try {
    return writeSync(fd, bytes, at);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') process.exit(brokenPipeStatus);
    if (code !== 'EAGAIN') {
      process.stderr.write(`the output can't be written: ${message}\n`);
      process.exit(255);
    }
    // Somebody else who has this pipe does not want to wait.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    return 0;
  }
}
