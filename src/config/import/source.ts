// The lines of a keepalived.conf after all that makes lines of lines: includes, parameters, conditions and sequences.
import { dirname, isAbsolute, join } from 'node:path';
import type { Loss, Place } from './losses.ts';

export interface Line extends Place {
  readonly text: string;
}

/** What the importer sees of the machine. */
export interface Files {
  /** undefined: it can't be read. */
  read(path: string): string | undefined;
  /** Names in a folder; none if there is no such folder. */
  list(folder: string): readonly string[];
}

export interface SourceOptions {
  readonly files: Files;
  /** What `@NAME` is compared with: keepalived's -i, or the host's name. */
  readonly configId: string;
}

const deepest = 100;
const mostLines = 1_000_000;

export function readSource(path: string, options: SourceOptions): { lines: readonly Line[]; losses: readonly Loss[] } {
  const reader = new SourceReader(options);
  reader.file(path, { file: path, line: 1 }, 0);
  return reader;
}

class SourceReader {
  readonly lines: Line[] = [];
  readonly losses: Loss[] = [];
  readonly #options: SourceOptions;
  readonly #parameters = new Map<string, string>();

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  file(path: string, from: Place, depth: number): void {
    const text = depth > deepest ? undefined : this.#options.files.read(path);
    if (text === undefined) {
      this.losses.push({ ...from, what: `include ${path}`, why: 'it can not be read' });
      return;
    }
    const all = text.split(/\r?\n/);
    for (let at = 0; at < all.length; at++) {
      const place = { file: path, line: at + 1 };
      let line = all[at] ?? '';
      // Only a definition goes on in the next line.
      if (/^\s*(?:@\S+\s+)?\$\w+=/.test(line))
        while (/\\\s*$/.test(line) && at + 1 < all.length) line = `${line.replace(/\\\s*$/, '')}\n${all[++at]}`;
      this.#line(line, place, depth);
    }
  }

  #line(text: string, place: Place, depth: number): void {
    if (depth > deepest || this.lines.length > mostLines) return;
    const condition = /^\s*@(\^?)([^\s]+)\s*([\s\S]*)$/.exec(text);
    if (condition !== null) {
      const isMeant = (condition[2] === this.#options.configId) !== (condition[1] === '^');
      if (isMeant) this.#line(condition[3] ?? '', place, depth + 1);
      return;
    }
    const definition = /^\s*\$([A-Za-z_]\w*)=([\s\S]*)$/.exec(text);
    if (definition !== null) {
      this.#parameters.set(definition[1] ?? '', (definition[2] ?? '').trimEnd());
      return;
    }
    const [, include] = /^\s*include[rmwba]?\s+(\S+)\s*$/.exec(text) ?? [];
    if (include !== undefined) {
      this.#include(include, place, depth);
      return;
    }
    const sequence = /^\s*~(SEQx?|LST)\(([^)]*)\)\s*(.*)$/s.exec(text);
    if (sequence !== null) {
      this.#repeat(sequence, text, place, depth);
      return;
    }
    const expanded = this.#substitute(text, place);
    if (expanded === text) this.lines.push({ ...place, text });
    else for (const line of expanded.split('\n')) this.#line(line, place, depth + 1);
  }

  /** The first parameter of a line; the rest when the line is looked at again. */
  #substitute(text: string, { file }: Place): string {
    const known: Readonly<Record<string, string>> = {
      _PWD: dirname(file),
      _INSTANCE: this.#options.configId,
      _HASH: '\\#',
      _BANG: '\\!',
    };
    for (const found of text.matchAll(/\$(?:\{(\w+)\}|([A-Za-z_]\w*)(?=\s|$))/g)) {
      const name = found[1] ?? found[2] ?? '';
      const value = this.#parameters.get(name) ?? known[name];
      if (value !== undefined) return text.slice(0, found.index) + value + text.slice(found.index + found[0].length);
    }
    return text;
  }

  #include(pattern: string, place: Place, depth: number): void {
    const path = isAbsolute(pattern) ? pattern : join(dirname(place.file), pattern);
    const paths = /[*?[{]/.test(path) ? this.#glob(path) : [path];
    if (paths.length === 0) this.losses.push({ ...place, what: `include ${pattern}`, why: 'there is no such file' });
    for (const one of paths) this.file(one, place, depth + 1);
  }

  #glob(pattern: string): readonly string[] {
    const found = expandBraces(pattern).flatMap((one) =>
      one
        .split('/')
        .filter((segment) => segment !== '')
        .reduce<readonly string[]>(
          (folders, segment) =>
            folders.flatMap((folder) =>
              /[*?[]/.test(segment)
                ? this.#options.files
                    .list(folder)
                    .filter((name) => matches(segment, name))
                    .toSorted()
                    .map((name) => join(folder, name))
                : [join(folder, segment)],
            ),
          [isAbsolute(one) ? '/' : '.'],
        ),
    );
    return found.filter((path) => this.#options.files.read(path) !== undefined);
  }

  #repeat([, kind, inner = '', rest = '']: RegExpExecArray, text: string, place: Place, depth: number): void {
    const rounds = kind === 'LST' ? listRounds(inner) : sequenceRounds(inner, kind === 'SEQx');
    if (rounds === undefined) {
      this.losses.push({ ...place, what: text.trim(), why: 'it is not understood' });
      return;
    }
    for (const round of rounds) {
      for (const [name, value] of round) this.#parameters.set(name, value);
      this.#line(rest, place, depth + 1);
    }
  }
}

type Round = readonly (readonly [string, string])[];

function sequenceRounds(inner: string, isHex: boolean): readonly Round[] | undefined {
  const [name = '', ...texts] = inner.split(',').map((part) => part.trim());
  const numbers = texts.map(Number);
  const end = numbers.at(-1);
  if (!/^\w+$/.test(name) || end === undefined || numbers.length > 3 || !numbers.every(Number.isInteger))
    return undefined;
  const start = numbers.length > 1 ? (numbers[0] ?? 1) : Math.sign(end) || 1;
  const one = end >= start ? 1 : -1;
  const step = numbers.length === 3 ? (numbers[1] ?? one) : one;
  const count = Math.floor((end - start) / step) + 1;
  if (step === 0 || count < 0 || count > mostLines) return undefined;
  return Array.from({ length: count }, (_, index) => [[name, (start + index * step).toString(isHex ? 16 : 10)]]);
}

/** `X, 1, 2` or `{X, Y}, {1, 2}, {3, 4}`. */
function listRounds(inner: string): readonly Round[] | undefined {
  const parts = (inner.match(/\s*\{[^}]*\}\s*|[^,]+/g) ?? []).map((part) => part.trim()).filter((part) => part !== '');
  const [names = [], ...values] = parts.map((part) =>
    (part.startsWith('{') ? part.slice(1, -1) : part).split(',').map((word) => word.trim()),
  );
  if (values.length === 0 || values.some((value) => value.length !== names.length)) return undefined;
  return values.map((value) => names.map((name, index) => [name, value[index] ?? ''] as const));
}

function expandBraces(pattern: string): readonly string[] {
  const found = /^([^{]*)\{([^{}]*)\}(.*)$/.exec(pattern);
  if (found === null) return [pattern];
  const [, before = '', inner = '', after = ''] = found;
  return inner.split(',').flatMap((one) => expandBraces(before + one + after));
}

function matches(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const source = pattern
    .replace(/[.+^$()|\\{}]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
    .replace(/\[!/g, '[^');
  try {
    return new RegExp(`^${source}$`).test(name);
  } catch {
    return false;
  }
}
