// Compiles one BPF source into a directory of its own, for as long as a test needs it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const MULTIARCH: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const COMPILERS = ['clang-16', ...[17, 18, 19, 20, 21, 22, 15, 14].map((version) => `clang-${version}`), 'clang'];

export interface CompiledObject extends Disposable {
  readonly path: string;
}

export function compile(source: string): CompiledObject {
  const directory = mkdtempSync(join(tmpdir(), 'fairlead-object-'));
  const path = join(directory, basename(source).replace(/\.c$/, '.o'));
  compileTo(source, path);
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

export function compileTo(source: string, path: string): void {
  const include = `/usr/include/${MULTIARCH[process.arch] ?? process.arch}`;
  const words = ['-O2', '-g', '-Wall', '-target', 'bpf', '-mcpu=v3', '-I', include, '-c', source, '-o', path];
  for (const compiler of COMPILERS) {
    const { status, stderr, error } = spawnSync(compiler, words, { encoding: 'utf8' });
    if (status === 0) return;
    if (error === undefined) throw new Error(stderr);
  }
  throw new Error('expected clang to be installed');
}
