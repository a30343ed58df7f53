// YAML by the yaml library: values, and where each of them is in the text.
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from 'yaml';
import type { LocatedProblem, Position, Problem } from './problem.ts';

/** As many services may share one list of destinations; and what aliases make of a text has an end. */
const mostAliases = 20_000;

export interface Yaml {
  /** Meaningless when there are problems. */
  readonly value: unknown;
  /** With the text itself: what makes it no YAML, or such as is not taken. */
  readonly problems: readonly LocatedProblem[];
  /** Where a problem is: at the nearest that is there of what its path names. */
  locate(problem: Pick<Problem, 'path' | 'key'>): Position;
}

export function parseYaml(text: string): Yaml {
  const lines = new LineCounter();
  const document = attempt(() =>
    parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, version: '1.2', logLevel: 'error' }),
  );
  if (document === undefined) return refused({ line: 1, column: 1 }, 'the nesting is too deep');
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const tooDeep = document.errors.find(({ message }) => message.startsWith('Maximum call stack'));
  if (tooDeep !== undefined) return refused(at(tooDeep.pos[0]), 'the nesting is too deep');
  const problems = document.errors.map((error) => ({
    ...at(error.pos[0]),
    at: '',
    message: explain(text, error, document.contents, at),
  }));
  if (problems.length > 0) return { value: undefined, problems, locate: () => at(0) };
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
    return refused({ line: 1, column: 1 }, 'expected a configuration, got an empty file');
  const wrong = findUnusual(document.contents);
  if (wrong !== undefined) return refused(at(wrong.offset), wrong.message);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    const why = error instanceof RangeError ? 'the nesting is too deep' : (error as Error).message;
    return refused(at(firstAlias(document.contents) ?? 0), why);
  }
  return { value, problems: [], locate: (problem) => at(find(document, problem)) };
}

function refused(position: Position, message: string): Yaml {
  return { value: undefined, problems: [{ ...position, at: '', message }], locate: () => position };
}

function attempt<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function explain(text: string, error: YAMLError, root: Node | null, at: (offset: number) => Position): string {
  const start = error.pos[0];
  switch (error.code) {
    case 'DUPLICATE_KEY': {
      const key = /^[^\s:,}]*/.exec(text.slice(start))?.[0] ?? '';
      const first = firstOfKey(root, start);
      return `the key ${key} is there twice${first === undefined ? '' : `: first in line ${at(first).line}`}`;
    }
    case 'MULTIPLE_DOCS':
      return 'expected one document, got another one after ---';
    case 'TAB_AS_INDENT':
      return 'expected blanks before the first word of a line, got a tab';
    default:
      return error.message.replace(/\s+/g, ' ').trim();
  }
}

/** Where the key that begins at `offset` was before, in its mapping. */
function firstOfKey(root: Node | null, offset: number): number | undefined {
  for (const map of walk(root)) {
    if (!isMap(map)) continue;
    const twice = map.items.find(({ key }) => isScalar(key) && key.range?.[0] === offset);
    const first = map.items.find(({ key }) => isScalar(key) && isScalar(twice?.key) && key.value === twice.key.value);
    if (twice !== undefined && isScalar(first?.key)) return first.key.range?.[0];
  }
  return undefined;
}

/** Keys that are no words, and tags: YAML has them, and no configuration needs them. */
function findUnusual(root: Node): { offset: number; message: string } | undefined {
  for (const node of walk(root)) {
    const offset = node.range?.[0] ?? 0;
    if (node.tag !== undefined && !/^tag:yaml\.org,2002:(map|seq|str|int|float|bool|null|merge)$/.test(node.tag))
      return { offset, message: `the tag ${node.tag} means nothing here; quote a text that begins with !` };
    if (!isMap(node)) continue;
    for (const { key } of node.items) {
      if (isScalar(key) && typeof key.value === 'string') continue;
      const at = (key as Node | null)?.range?.[0] ?? offset;
      // A number is a word too, and what else YAML makes of one.
      if (isScalar(key) && (typeof key.value === 'number' || typeof key.value === 'boolean')) continue;
      if (isScalar(key) && key.value === null) return { offset: at, message: 'expected a key, got nothing' };
      if (isScalar(key) && typeof key.value === 'symbol') continue;
      return { offset: at, message: 'expected a word as a key, got a list or a mapping' };
    }
  }
  return undefined;
}

function firstAlias(root: Node): number | undefined {
  for (const node of walk(root)) if (isAlias(node)) return node.range?.[0];
  return undefined;
}

function* walk(root: Node | null): Generator<Node> {
  const waiting: (Node | null)[] = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node === null) continue;
    yield node;
    if (!isCollection(node)) continue;
    for (const item of node.items.toReversed())
      if (isPair(item)) waiting.push(item.value as Node | null, item.key as Node | null);
      else waiting.push(item as Node);
  }
}

function find(document: Document, { path, key }: Pick<Problem, 'path' | 'key'>): number {
  let node: Node | null | undefined = resolved(document, document.contents);
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    const next: Node | null | undefined = child(node, step);
    if (next === undefined) return offset;
    // Nothing after a key: where the key is.
    offset = next?.range?.[0] ?? keyOffset(node, String(step)) ?? offset;
    node = resolved(document, next);
  }
  return (key === undefined ? undefined : keyOffset(node, key)) ?? offset;
}

/** undefined: there is none. */
function child(node: Node | null | undefined, step: string | number): Node | null | undefined {
  if (isSeq(node) && typeof step === 'number') return node.items[step] as Node | undefined;
  if (!isMap(node)) return undefined;
  return node.items.find((pair) => keyText(pair.key) === String(step))?.value as Node | null | undefined;
}

function keyOffset(node: Node | null | undefined, key: string): number | undefined {
  if (!isMap(node)) return undefined;
  const found = node.items.find((pair) => keyText(pair.key) === key)?.key;
  return isScalar(found) ? found.range?.[0] : undefined;
}

function keyText(key: unknown): string | undefined {
  return isScalar(key) ? String(key.value) : undefined;
}

function resolved(document: Document, node: Node | null | undefined): Node | null | undefined {
  return isAlias(node) ? (node.resolve(document) as Node | undefined) : node;
}
