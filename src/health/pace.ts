// How many probes there are at a time: no more than one process can ask beside its other work.

/** In a second. Four thousand by TCP take most of a core, half of it the kernel's. */
const mostBegun = 4000;
/** As many that nobody answers, each with a socket. */
const mostAtOnce = 4000;
const stepMs = 10;

export interface Limits {
  /** In a second. */
  readonly mostBegun: number;
  readonly mostAtOnce: number;
}

/** First come, first served. */
export class Pace implements Disposable {
  readonly #limits: Limits;
  #waiting: (() => Promise<void>)[] = [];
  #next = 0;
  #running = 0;
  /** How many may begin now. */
  #allowed: number;
  #countedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: Limits = { mostBegun, mostAtOnce }) {
    this.#limits = limits;
    this.#allowed = this.#burst;
  }

  /** In a second. */
  get mostBegun(): number {
    return this.#limits.mostBegun;
  }

  /** Begins it now, or as soon as it may be. It must not reject. */
  begin(work: () => Promise<void>): void {
    this.#waiting.push(work);
    this.#goOn();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#next = 0;
  }

  /** A tenth of a second's. */
  get #burst(): number {
    return Math.max(1, this.#limits.mostBegun / 10);
  }

  #goOn(): void {
    const now = performance.now();
    this.#allowed = Math.min(this.#burst, this.#allowed + ((now - this.#countedAt) / 1000) * this.#limits.mostBegun);
    this.#countedAt = now;
    while (this.#next < this.#waiting.length && this.#allowed >= 1 && this.#running < this.#limits.mostAtOnce) {
      const work = this.#waiting[this.#next++];
      this.#allowed--;
      this.#running++;
      void work?.().finally(() => {
        this.#running--;
      });
    }
    if (this.#next > this.#waiting.length / 2) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    if (this.#waiting.length === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#goOn();
    }, stepMs);
  }
}
