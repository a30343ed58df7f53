// Where commands write: at once, for Node's streams take milliseconds to make.
import { writeSync } from 'node:fs';

/** What a shell makes of SIGPIPE, by which a command ends when `head` has seen enough. Node ignores the signal. */
const brokenPipeStatus = 141;
const pauseMs = 2;

export interface Output {
  write(text: string): void;
}

/** Ends the process when nobody reads any more, or nothing can be written. */
export function outputTo(fd: 1 | 2): Output {
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
