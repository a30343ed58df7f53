// What the daemon knows and no file declares, kept for the next one: what operators said, lost quorums, and health.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Health } from '../health/hysteresis.ts';
import type { Override } from './standing.ts';

/** Few, and not to be lost. */
export interface Said {
  /** By destinationSubject's text. */
  readonly overrides: ReadonlyMap<string, Override>;
  /** By serviceKey's text. */
  readonly lostQuorums: ReadonlySet<string>;
}

/** By the keys of probes. */
export type KnownHealth = ReadonlyMap<string, Health>;

const version = 1;
/** Health may be much, and is found out again: writing it takes no more of the time than this. */
const healthShare = 0.02;

interface WrittenSaid {
  readonly version: number;
  readonly overrides: Readonly<Record<string, Override>>;
  readonly lostQuorums: readonly string[];
}

interface WrittenHealth {
  readonly version: number;
  readonly health: Readonly<Record<string, Health>>;
}

export interface MemoryPaths {
  /** Where what was said is kept, and where those of before may have kept it. */
  readonly said: readonly [string, ...string[]];
  readonly health: string;
}

export class Memory implements Disposable {
  readonly #paths: MemoryPaths;
  readonly #known: () => KnownHealth;
  #writtenSaid = '';
  #timer: NodeJS.Timeout | undefined;
  /** By performance.now(). */
  #healthAgainAt = Number.NEGATIVE_INFINITY;

  /** `known` is asked when health is written. */
  constructor(paths: MemoryPaths, known: () => KnownHealth) {
    this.#paths = paths;
    this.#known = known;
  }

  /** What is of another version, or damaged, is as none: `told` hears why. */
  static read(paths: MemoryPaths, told: (why: string) => void): Said & { readonly health: KnownHealth } {
    let said: WrittenSaid | undefined;
    for (const path of paths.said) said ??= readFile<WrittenSaid>(path, told);
    const health = readFile<WrittenHealth>(paths.health, told);
    return {
      overrides: new Map(Object.entries(said?.overrides ?? {})),
      lostQuorums: new Set(said?.lostQuorums),
      health: new Map(Object.entries(health?.health ?? {})),
    };
  }

  /** At once, if it is news. */
  keepSaid({ overrides, lostQuorums }: Said): void {
    const written: WrittenSaid = { version, overrides: Object.fromEntries(overrides), lostQuorums: [...lostQuorums] };
    const text = JSON.stringify(written);
    if (text !== this.#writtenSaid) writeFile(this.#paths.said[0], text, true);
    this.#writtenSaid = text;
  }

  /** At once, or as soon as it may be written again. */
  keepHealth(): void {
    if (this.#timer !== undefined) return;
    const waitMs = this.#healthAgainAt - performance.now();
    if (waitMs <= 0) this.#writeHealth();
    else this.#timer = setTimeout(() => this.#writeHealth(), waitMs);
  }

  /** Writes what is still to be written. */
  [Symbol.dispose](): void {
    if (this.#timer !== undefined) this.#writeHealth();
  }

  #writeHealth(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const begun = performance.now();
    const written: WrittenHealth = { version, health: Object.fromEntries(this.#known()) };
    writeFile(this.#paths.health, JSON.stringify(written), false);
    this.#healthAgainAt = begun + (performance.now() - begun) / healthShare;
  }
}

function readFile<Written extends { readonly version: number }>(
  path: string,
  told: (why: string) => void,
): Written | undefined {
  try {
    const written = JSON.parse(readFileSync(path, 'utf8')) as Written;
    if (written.version === version) return written;
    told(`${path} is of another version`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') told(`${path}: ${(error as Error).message}`);
  }
  return undefined;
}

/** Whoever dies meanwhile leaves the one of before; so does the machine, if it is to be on the disk first. */
function writeFile(path: string, text: string, flush: boolean): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush });
  renameSync(`${path}.new`, path);
}
