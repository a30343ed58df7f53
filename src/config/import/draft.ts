// What an import makes: a configuration as it will be written, and what each part of it came from.
import type { Loss } from './losses.ts';
import { type Statement, statementText } from './tree.ts';

/** A mapping to be written, by the names of the configuration. */
export type Draft = Record<string, unknown>;

export interface Losses {
  readonly found: readonly Loss[];
  lose(statement: Statement, why: string): void;
  add(losses: readonly Loss[]): void;
}

export function collectLosses(): Losses {
  const found: Loss[] = [];
  return {
    found,
    lose: (statement, why) =>
      void found.push({ file: statement.file, line: statement.line, what: statementText(statement), why }),
    add: (losses) => void found.push(...losses),
  };
}

/** What each keyword of a block does. */
export type Keywords<Context> = Readonly<Record<string, (statement: Statement, context: Context) => void>>;

export function readBlock<Context>(
  { block = [] }: Statement,
  keywords: Keywords<Context>,
  context: Context,
  losses: Losses,
): void {
  for (const statement of block) {
    const read = Object.hasOwn(keywords, statement.keyword) ? keywords[statement.keyword] : undefined;
    if (read === undefined) losses.lose(statement, 'this keyword is not known here');
    else read(statement, context);
  }
}
