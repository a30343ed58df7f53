// A program that runs beside the laboratory until it is ended: servers, the client, captures.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { FairleadError } from '../model/error.ts';
import { inNamespace } from './command.ts';

export interface ChildOptions {
  readonly namespace: string;
  /** What it is, for messages. */
  readonly title: string;
  /** Called once if it ends before it was told to. */
  readonly onLost: (error: FairleadError) => void;
}

export class Child implements AsyncDisposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #title: string;
  readonly #ended: Promise<void>;
  #told = false;
  #errors = '';

  constructor(command: readonly string[], options: ChildOptions) {
    const [program = '', ...rest] = inNamespace(command, options.namespace);
    this.#title = options.title;
    // Its own session: Ctrl-C must not end it before the laboratory has put things back.
    this.#process = spawn(program, rest, { stdio: 'pipe', detached: true });
    this.#process.stdin.on('error', () => undefined);
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.#ended = new Promise((resolve) => {
      const end = (how: string): void => {
        resolve();
        if (!this.#told)
          options.onLost(
            new FairleadError('kernel', `${this.#title} ended unexpectedly (${how}): ${this.#errors.trim()}`),
          );
      };
      this.#process.once('error', (error) => end(error.message));
      this.#process.once('exit', (status, signal) => end(signal ?? `status ${status}`));
    });
  }

  /** undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  get stdout(): ChildProcessWithoutNullStreams['stdout'] {
    return this.#process.stdout;
  }

  send(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  /** Waits until its standard output or error holds `text`. */
  saying(text: string, from: 'stdout' | 'stderr', signal: AbortSignal): Promise<void> {
    const stream = this.#process[from];
    return new Promise((resolve, reject) => {
      let heard = from === 'stderr' ? this.#errors : '';
      const settle = (result: () => void): void => {
        stream.off('data', listen);
        signal.removeEventListener('abort', onAbort);
        result();
      };
      const onAbort = (): void => settle(() => reject(signal.reason));
      const listen = (piece: Buffer | string): void => {
        heard += piece.toString();
        if (heard.includes(text)) settle(resolve);
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      stream.on('data', listen);
      listen('');
    });
  }

  /** Leaves it running when this process ends; it must have been told so itself. */
  release(): void {
    this.#told = true;
    for (const stream of [this.#process.stdin, this.#process.stdout, this.#process.stderr]) stream.destroy();
    this.#process.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#told = true;
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
