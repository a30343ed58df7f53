// What happened since the daemon runs, counted.
import type { Journal } from '../control/journal.ts';

export class History {
  readonly startedS = Date.now() / 1000;
  /** By the journal's word. */
  readonly changes = new Map<string, number>();
  /** When a configuration was taken last, in seconds since 1970. */
  takenS = this.startedS;
  /** Of the last configuration: whether it was. */
  isTaken = true;

  constructor(journal: Pick<Journal, 'listen'>) {
    journal.listen(({ what, atMs }) => {
      // The number would be a series of its own.
      const word = what.startsWith('set weight') ? 'set weight' : what;
      this.changes.set(word, (this.changes.get(word) ?? 0) + 1);
      if (what === 'reload' || what === 'apply') {
        this.isTaken = true;
        this.takenS = atMs / 1000;
      } else if (what === 'refused') this.isTaken = false;
    });
  }

  count(...words: readonly string[]): number {
    return words.reduce((sum, word) => sum + (this.changes.get(word) ?? 0), 0);
  }
}
