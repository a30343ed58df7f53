// Holds the house's rules: who may import whom, no cycles, and what every file begins with.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** A folder imports from itself and from the rows below its own. */
const ROWS = [
  ['cli', 'api', 'lab'],
  ['doctor', 'metrics'],
  ['peer', 'realserver', 'control'],
  ['dataplane', 'health'],
  ['schedule', 'config', 'kernel'],
  ['model'],
];

/** What the rows do not say: from (a folder) to (files). */
const EXCEPTIONS: Record<string, { only?: string[]; also?: string[] }> = {
  kernel: { only: ['model/error.ts'] }, // it knows Linux and nothing of LVS
  cli: { also: ['api/contract.ts', 'api/client.ts', 'api/serve.ts'] }, // how a command reaches the daemon, and `run` serves
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const src = join(root, 'src');
const sources = list('src', /\.ts$/);
const shipped = sources.filter((path) => !path.endsWith('.test.ts'));
const imports = shipped.flatMap(importsOf);

describe('src', () => {
  test('has only the folders that the order knows', () => {
    const folders = new Set(shipped.map(folderOf));
    expect([...folders].filter((folder) => !ROWS.flat().includes(folder))).toEqual([]);
  });

  test('imports only from its own folder or from one further down the order', () => {
    expect(imports.filter((entry) => !isAllowed(entry)).map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  test('imports nothing of ours from outside of src', () => {
    expect(imports.filter(({ to }) => to.startsWith('..'))).toEqual([]);
  });

  test('has no import cycle', () => {
    expect(cycles(imports)).toEqual([]);
  });

  test('has named exports only, and no file that hands on what is in another', () => {
    const offenders = shipped.filter((path) =>
      /^export (default\b|\*|(type )?\{[^}]*\} from\b)/m.test(read(`src/${path}`)),
    );
    expect(offenders).toEqual([]);
  });

  test('begins every file with the sentence that says what it is for', () => {
    expect(sources.filter((path) => !/^(#!.*\n)?\/\/ \S/.test(read(`src/${path}`)))).toEqual([]);
  });
});

describe('bpf', () => {
  test('begins every file with its licence and the sentence that says what it is for', () => {
    const head = /^\/[/*] SPDX-License-Identifier: MIT OR GPL-2\.0-only(?: \*\/)?\n\/(?:\/|\*(?:\n \*)?) \S/;
    expect(list('bpf', /\.[ch]$/).filter((path) => !head.test(read(`bpf/${path}`)))).toEqual([]);
  });
});

test.each(['src', 'bpf', 'bin', 'bench'])(
  "%s says director, real server and destination, not another field's words",
  (folder) => {
    const words = /backend|frontend|upstream/i;
    expect(list(folder, /\.(ts|mjs|[ch])$/).filter((path) => words.test(read(`${folder}/${path}`)))).toEqual([]);
  },
);

function list(folder: string, pattern: RegExp): string[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => pattern.test(name) && !name.includes('testdata/')).sort();
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function importsOf(path: string): Import[] {
  const specifiers = read(`src/${path}`).matchAll(/(?:\bfrom|\bimport\(|^import)\s*'(\.[^']*)'/gm);
  const folder = join(src, dirname(path));
  return [...specifiers].map(([, specifier = '']) => ({ from: path, to: relative(src, join(folder, specifier)) }));
}

function folderOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function isAllowed({ from, to }: Import): boolean {
  const [source, target] = [folderOf(from), folderOf(to)];
  if (source === target) return true;
  const { only, also } = EXCEPTIONS[source] ?? {};
  if (only) return only.includes(to);
  return also?.includes(to) || rowOf(source) < rowOf(target);
}

function rowOf(folder: string): number {
  return ROWS.findIndex((row) => row.includes(folder));
}

/** Files that reach themselves, each once, with the way there. */
function cycles(edges: readonly Import[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) targets.set(from, [...(targets.get(from) ?? []), to]);
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.add([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    else if (!done.has(path)) for (const next of targets.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  return [...found];
}
