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

/** As listeners have it: ids grow, and are of the process that runs. */
export interface Told extends Entry {
  readonly id: string;
}

type Listener = (entry: Told) => void;

/** How many a listener may have missed. */
const mostRecent = 1000;
/** When it has become so long it begins anew, and the one of before is kept beside it. */
const mostBytes = 4 * 1024 * 1024;

export class Journal {
  readonly #path: string;
  readonly #start = Date.now().toString(36);
  readonly #listeners = new Set<Listener>();
  readonly #recent: Told[] = [];
  #count = 0;

  constructor(path: string) {
    this.#path = path;
  }

  add(entry: Omit<Entry, 'atMs'>): void {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > mostBytes) renameSync(this.#path, `${this.#path}.1`);
    const written = { atMs: Date.now(), ...entry };
    appendFileSync(this.#path, `${JSON.stringify(written)}\n`, { mode: 0o600 });
    const told = { id: `${this.#start}-${++this.#count}`, ...written };
    this.#recent.push(told);
    if (this.#recent.length > mostRecent) this.#recent.shift();
    for (const listener of this.#listeners) listener(told);
  }

  /** Of each that comes, and first of those behind `seen`, where that is known. Returns what ends it. */
  listen(listener: Listener, seen?: string): () => void {
    const at = this.#recent.findIndex(({ id }) => id === seen);
    if (at >= 0) for (const told of this.#recent.slice(at + 1)) listener(told);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
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
