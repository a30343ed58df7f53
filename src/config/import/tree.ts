// Statements of keepalived.conf: a keyword, its words, and perhaps a block of more of them.
import type { Loss, Place } from './losses.ts';
import type { Line } from './source.ts';
import { splitWords } from './words.ts';

export interface Statement extends Place {
  readonly keyword: string;
  readonly words: readonly string[];
  readonly block: readonly Statement[] | undefined;
}

export function statementText({ keyword, words }: Pick<Statement, 'keyword' | 'words'>): string {
  return [keyword, ...words].join(' ');
}

interface Open extends Statement {
  readonly block: Statement[];
}

export function readTree(lines: readonly Line[]): { statements: readonly Statement[]; losses: readonly Loss[] } {
  const top: Statement[] = [];
  const losses: Loss[] = [];
  const open: Open[] = [];
  const inner = (): Statement[] => open.at(-1)?.block ?? top;
  for (const { text, file, line } of lines) {
    let words: string[] = [];
    let isBehind = false;
    const finish = (): void => {
      const [keyword, ...rest] = words;
      if (keyword !== undefined) inner().push({ file, line, keyword, words: rest, block: undefined });
      words = [];
    };
    for (const word of splitWords(text)) {
      if (word === '{') {
        // Also in a line of its own, below the keyword.
        if (words.length > 0) finish();
        const last = inner().pop();
        const opened: Open = { ...(last ?? { file, line, keyword: '', words: [] }), block: [] };
        inner().push(opened);
        open.push(opened);
        isBehind = true;
      } else if (word === '}') {
        finish();
        if (open.pop() === undefined) losses.push({ file, line, what: '}', why: 'it closes nothing' });
      } else {
        if (isBehind) losses.push({ file, line, what: text.trim(), why: 'there should be one statement in a line' });
        isBehind = false;
        words.push(word);
      }
    }
    finish();
  }
  for (const one of open) losses.push({ ...place(one), what: statementText(one), why: 'its block is not closed' });
  return { statements: top, losses };
}

export function place({ file, line }: Place): Place {
  return { file, line };
}
