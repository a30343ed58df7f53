// fairlead mark: the rules that give packets marks.
import { readFileSync } from 'node:fs';
import { type DataplaneDirector, openDirector } from '../../../dataplane/director.ts';
import { FairleadError } from '../../../model/error.ts';
import { appendRule, deleteRule, deleteRuleAt, insertRule, type MarkRules } from '../../../model/mark.ts';
import { readRule } from '../../../model/mark-words.ts';
import type { Io } from '../io.ts';
import { openAttached } from '../open.ts';
import { readImport } from './import.ts';
import { showRules } from './list.ts';

export function addRule(io: Io, words: readonly string[]): void {
  const rule = readRule(words);
  change(io, (rules) => appendRule(rules, rule));
}

/** As iptables' -I: before the first one unless a number says where. */
export function insertRuleAt(io: Io, words: readonly string[]): void {
  const [first = '', ...rest] = words;
  const isNumbered = /^\d+$/.test(first);
  const rule = readRule(isNumbered ? rest : words);
  change(io, (rules) => insertRule(rules, isNumbered ? Number(first) : 1, rule));
}

export function removeRule(io: Io, words: readonly string[]): void {
  const [first = ''] = words;
  if (words.length === 1 && /^\d+$/.test(first)) {
    change(io, (rules) => deleteRuleAt(rules, Number(first)));
    return;
  }
  const rule = readRule(words);
  change(io, (rules) => deleteRule(rules, rule));
}

export function flushRules(io: Io): void {
  change(io, () => []);
}

/** As iptables-restore: what is there goes, unless it is to be kept. */
export function importRules(io: Io, file: string, isKept: boolean): void {
  const imported = readImport(readText(file), file === '-' ? 'stdin' : file);
  change(io, (rules) => (isKept ? [...rules, ...imported] : imported));
  io.stdout.write(`${imported.length} rules imported\n`);
}

export async function listRules(io: Io, output: 'table' | 'json' | 'yaml'): Promise<void> {
  using director = openAttached();
  await showRules(io.stdout, director.markRules(), output);
}

function change(io: Io, edit: (present: MarkRules) => MarkRules): void {
  using director: DataplaneDirector | undefined = openDirector({
    create: true,
    warn: (text) => io.stderr.write(`fairlead: ${text}\n`),
  });
  director?.changeMarkRules(edit);
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError('bad-input', `${file}: ${why}`, { cause });
  }
}
