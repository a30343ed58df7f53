// What there was in a text that rules are imported from.
import type { MarkRule } from '../../../model/mark.ts';

export interface Found {
  readonly rules: readonly MarkRule[];
  /** Rules that can't be expressed. */
  readonly refused: readonly Refused[];
}

export interface Refused {
  readonly line: number;
  readonly text: string;
  /** Naming what it is that can't be. */
  readonly why: string;
}
