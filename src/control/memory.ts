// What the daemon knows and no file declares, kept for the next one: health, lost quorums, what operators said.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Health } from '../health/hysteresis.ts';
import type { Override } from './standing.ts';

export interface Memory {
  /** By the keys of probes. */
  readonly health: ReadonlyMap<string, Health>;
  readonly lostQuorums: ReadonlySet<string>;
  /** By destinationSubject's text. */
  readonly overrides: ReadonlyMap<string, Override>;
}

const nothing: Memory = { health: new Map(), lostQuorums: new Set(), overrides: new Map() };
const version = 1;

interface Written {
  readonly version: number;
  readonly health: Readonly<Record<string, Health>>;
  readonly lostQuorums: readonly string[];
  readonly overrides: Readonly<Record<string, Override>>;
}

/** One of another version, or that is damaged, is as none: `told` hears why. */
export function readMemory(path: string, told: (why: string) => void): Memory {
  try {
    const written = JSON.parse(readFileSync(path, 'utf8')) as Written;
    if (written.version !== version) {
      told(`${path} is of another version`);
      return nothing;
    }
    return {
      health: new Map(Object.entries(written.health)),
      lostQuorums: new Set(written.lostQuorums),
      overrides: new Map(Object.entries(written.overrides)),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') told(`${path}: ${(error as Error).message}`);
    return nothing;
  }
}

/** Whoever dies meanwhile leaves the one of before. */
export function writeMemory(path: string, { health, lostQuorums, overrides }: Memory): void {
  const written: Written = {
    version,
    health: Object.fromEntries(health),
    lostQuorums: [...lostQuorums],
    overrides: Object.fromEntries(overrides),
  };
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.new`, JSON.stringify(written), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
