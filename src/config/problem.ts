// What is wrong with a configuration, and where: several at once.
import { FairleadError } from '../model/error.ts';

export type Path = readonly (string | number)[];

/** Of a value by its path; where in the text that is, is found later. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
  /** It is about this key of the mapping at `path`. */
  readonly key?: string;
  /** Where the same was before. */
  readonly before?: Path;
}

/** Both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface LocatedProblem extends Position {
  /** `services[0].tcp`; empty for the whole. */
  readonly at: string;
  readonly message: string;
}

const mostTold = 20;

/** Its message has a line for each problem: FILE:LINE:COLUMN: WHAT. */
export class ConfigError extends FairleadError {
  readonly file: string;
  readonly problems: readonly LocatedProblem[];

  constructor(file: string, problems: readonly LocatedProblem[]) {
    const told = problems.slice(0, mostTold).map((problem) => formatProblem(file, problem));
    const rest = problems.length - told.length;
    super('bad-input', [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n'));
    this.file = file;
    this.problems = problems;
  }
}

export function formatProblem(file: string, { line, column, at, message }: LocatedProblem): string {
  return `${file}:${line}:${column}: ${at === '' ? '' : `${at}: `}${message}`;
}

/** `services[0].tcp`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      const name = /^[\w-]+$/.test(step) ? step : JSON.stringify(step);
      return index === 0 ? name : `.${name}`;
    })
    .join('');
}

/** A value as an error shows it: short, and on one line. */
export function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value !== 'object') return String(value);
  const keys = Object.keys(value);
  return keys.length === 0 ? 'an empty mapping' : `a mapping of ${listed(keys.slice(0, 8))}`;
}

export function listed(words: readonly string[], conjunction = 'and'): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} ${conjunction} ${last}`;
}
