// What happened and who wanted it, a line of JSON each: what `fairlead log` shows.
import { appendFileSync, readFileSync, renameSync, statSync } from 'node:fs';

export interface Entry {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** `fairlead` for what the daemon itself found out. */
  readonly who: string;
  readonly what: string;
  /** A service or destination, by its key. */
  readonly subject?: string;
  readonly why?: string;
}

/** When it has become so long it begins anew, and the one of before is kept beside it. */
const mostBytes = 4 * 1024 * 1024;

export class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(entry: Omit<Entry, 'atMs'>): void {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > mostBytes) renameSync(this.#path, `${this.#path}.1`);
    appendFileSync(this.#path, `${JSON.stringify({ atMs: Date.now(), ...entry })}\n`, { mode: 0o600 });
  }

  /** The last of them, oldest first. */
  last(count: number): readonly Entry[] {
    const lines = [`${this.#path}.1`, this.#path].flatMap((path) =>
      statSync(path, { throwIfNoEntry: false }) === undefined ? [] : readFileSync(path, 'utf8').split('\n'),
    );
    return lines
      .filter((line) => line.endsWith('}'))
      .slice(-count)
      .map((line) => JSON.parse(line) as Entry);
  }
}
