// What an import could not carry over, by its line; so that nothing is lost silently.

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export interface Loss extends Place {
  /** As it was written. */
  readonly what: string;
  readonly why: string;
}

export function formatLoss({ file, line, what, why }: Loss): string {
  return `${file}:${line}: ${what}: ${why}`;
}
