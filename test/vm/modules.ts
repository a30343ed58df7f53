// Picks kernel modules with all that they need, in the order in which they can be loaded.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Copies them, unpacked and numbered in order: 00-virtio.ko and so on. What is built into the kernel is left out. */
export function copyModules(tree: string, target: string, wanted: readonly string[]): void {
  const paths = new Map(
    readdirSync(tree, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.ko(\.xz)?$/.test(path))
      .map((path) => [toName(path), join(tree, path)]),
  );
  const ordered = new Map<string, Buffer>();
  const take = (name: string): void => {
    const path = paths.get(toName(name));
    if (!path || ordered.has(toName(name))) return;
    const content = path.endsWith('.xz')
      ? execFileSync('xz', ['-dc', path], { maxBuffer: 2 ** 26 })
      : readFileSync(path);
    for (const needed of needs(content)) take(needed);
    ordered.set(toName(name), content);
  };
  for (const name of wanted) take(name);
  [...ordered].forEach(([name, content], index) => {
    writeFileSync(join(target, `${String(index).padStart(2, '0')}-${name}.ko`), content);
  });
}

/** File names and module names disagree about dashes. */
function toName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_');
}

/** A module's .modinfo section holds its dependencies as text. */
function needs(content: Buffer): string[] {
  const list = /\0depends=([^\0]*)\0/.exec(content.toString('latin1'))?.[1] ?? '';
  return list.split(',').filter((name) => name !== '');
}
