// What zod found wrong, in a person's words: what was expected, what was got, and the nearest valid word.
import type { z } from 'zod';
import { nearestWord } from '../model/nearest.ts';
import { listed, type Path, type Problem, show } from './problem.ts';

type RawIssue = z.core.$ZodRawIssue;
type Issue = z.core.$ZodIssue;

const kindNames: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  null: 'nothing',
};

/** For safeParse's `error`: the text of an issue whose schema has none of its own. */
export function describeIssue(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${kindNames[String(issue.expected)] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.length === 1 ? '' : 'one of '}${listed(issue.values.map(String), 'or')}`;
    case 'unrecognized_keys':
      // What it may be instead is not among what the issue tells.
      issue.known = shapeKeys(issue.inst);
      return 'unknown keys';
    default:
      return undefined;
  }
}

function shapeKeys(schema: unknown): readonly string[] {
  const { shape } = (schema as z.core.$ZodObject)._zod.def;
  return Object.keys(shape);
}

export function toProblems(issues: readonly Issue[]): readonly Problem[] {
  return issues.flatMap((issue) => explained(issue, []));
}

function explained(issue: Issue, above: Path): readonly Problem[] {
  const path = [...above, ...(issue.path as Path)];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path, key, message: unknownKey(key, issue) }));
    case 'invalid_union':
      return explainedUnion(issue, path);
    case 'invalid_key':
      return issue.issues.flatMap((inner) => [
        { path: path.slice(0, -1), key: String(path.at(-1)), message: full(inner) },
      ]);
    case 'invalid_value':
      return [{ path, message: full(issue) + meant(issue.input, issue.values.map(String)) }];
    default:
      return [{ path, message: full(issue) }];
  }
}

function full({ message, input }: Pick<Issue, 'message' | 'input'>): string {
  if (!message.startsWith('expected') || /, got |: /.test(message)) return message;
  return input === undefined ? `it is missing: ${message}` : `${message}, got ${show(input)}`;
}

function meant(input: unknown, words: readonly string[]): string {
  const nearest = typeof input === 'string' ? nearestWord(input, words) : undefined;
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

function unknownKey(key: string, issue: Issue): string {
  const known = knownKeys(issue);
  const nearest = nearestWord(key, known);
  return `unknown key ${JSON.stringify(key)}${nearest === undefined ? `: expected ${listed(known, 'or')}` : `; did you mean ${nearest}?`}`;
}

/** As describeIssue has added them. */
function knownKeys(issue: Issue): readonly string[] {
  return (issue as { known?: readonly string[] }).known ?? [];
}

/** The branch that the value was meant for: the one that refuses not the whole of it. */
function explainedUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path): readonly Problem[] {
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const meantOne = branches.find((branch) => !branch.some(isWhole));
  if (meantOne !== undefined) return meantOne.flatMap((inner) => explained(inner, path));
  const refusals = branches.flat().flatMap(leaves);
  const expected = new Set(refusals.map(({ message }) => message.replace(/^expected /, '')));
  const words = refusals.flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
  const message = `expected ${[...expected].join(', or ')}`;
  return [{ path, message: full({ message, input: issue.input }) + meant(issue.input, words) }];
}

/** It refuses the kind of value, whatever is in it. */
function isWhole(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.every((branch) => branch.some(isWhole));
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function leaves(issue: Issue): readonly Issue[] {
  return issue.code === 'invalid_union' ? issue.errors.flat().flatMap(leaves) : [issue];
}
