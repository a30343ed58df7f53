// The laboratory's client: one process in the client's namespace that asks what it is told and reports each outcome.
import type { Question, Reply } from './answer.ts';
import { Child, type ChildOptions } from './child.ts';

export class Client implements AsyncDisposable {
  readonly #child: Child;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<string, (reply: Reply) => void>();
  #pending = '';

  constructor(script: string, options: Omit<ChildOptions, 'title'>, signal: AbortSignal) {
    this.#child = new Child([process.execPath, script], { ...options, title: 'the client' });
    this.#signal = signal;
  }

  async ready(): Promise<void> {
    await this.#child.saying('ready\n', 'stdout', this.#signal);
    this.#child.stdout.on('data', (piece: Buffer) => this.#take(piece.toString()));
  }

  ask(question: Question): Promise<Reply> {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason);
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(question.token, (reply) => {
        signal.removeEventListener('abort', onAbort);
        resolve(reply);
      });
      this.#child.send(JSON.stringify(question));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }

  #take(text: string): void {
    const lines = (this.#pending + text).split('\n');
    this.#pending = lines.pop() ?? '';
    for (const line of lines) {
      const reply: Reply = JSON.parse(line);
      this.#waiting.get(reply.token)?.(reply);
      this.#waiting.delete(reply.token);
    }
  }
}
