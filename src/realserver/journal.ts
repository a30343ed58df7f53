// What was changed in this network namespace, on disk: written before each change, so that it can be undone after any crash.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bootId, netnsCookie } from '../kernel/namespace.ts';
import { FairleadError } from '../model/error.ts';
import type { Change } from './change.ts';
import type { Wanted } from './plan.ts';

export interface RecordedVip extends Pick<Wanted, 'vip' | 'method' | 'arp'> {
  /** A file named it: it goes when the file does so no more. */
  readonly isDeclared: boolean;
}

/** The VIPs that need the change: it is undone with the last of them. */
export type RecordedChange = Change & { readonly vips: readonly string[] };

/** The kernel's ids of a loaded program and its maps: they are found again by them, and nothing is pinned. */
export interface LoadedProgram {
  readonly id: number;
  /** The one at egress. */
  readonly out: number;
  readonly vips: number;
  readonly refusals: number;
  readonly pathMtus: number;
  /** Of the object file that it was loaded from. */
  readonly digest: string;
}

export interface Journal {
  readonly vips: readonly RecordedVip[];
  /** In the order in which they were made. */
  readonly changes: readonly RecordedChange[];
  readonly program: LoadedProgram | undefined;
}

export const emptyJournal: Journal = { vips: [], changes: [], program: undefined };

const directory = '/run/fairlead/realserver';
const version = 2;

/** One for all namespaces: it is held for milliseconds, and nothing is left of it but one empty file. */
export const lockPath = join(directory, 'lock');

/** The cookie is never given to another namespace until the next boot, when all that was changed is gone as well. */
export function journalPath(): string {
  return join(directory, `${netnsCookie()}.json`);
}

export function readJournal(path = journalPath()): Journal {
  const text = readText(path);
  if (text === undefined) return emptyJournal;
  const stored = parse(text, path);
  if (stored.version !== version)
    throw new FairleadError('not-supported', `${path} was written by another version of fairlead`, {
      hint: 'undo with that version what it did: fairlead realserver remove VIP',
    });
  if (stored.bootId !== bootId()) return emptyJournal;
  return { vips: stored.vips, changes: stored.changes, program: stored.program };
}

/** Readers see the old journal or the new one. An empty one leaves no file. */
export function writeJournal(journal: Journal, path = journalPath()): void {
  if (journal.vips.length === 0 && journal.changes.length === 0) {
    rmSync(path, { force: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.new`, `${JSON.stringify({ version, bootId: bootId(), ...journal }, undefined, 2)}\n`, {
    mode: 0o600,
  });
  renameSync(`${path}.new`, path);
}

interface Stored extends Journal {
  readonly version: number;
  readonly bootId: string;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string, path: string): Stored {
  try {
    return JSON.parse(text) as Stored;
  } catch (cause) {
    throw new FairleadError('kernel', `${path} is damaged: ${(cause as Error).message}`, {
      cause,
      hint: 'what was changed here is no longer known: undo it by hand, then delete the file',
    });
  }
}
