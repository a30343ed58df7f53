// What a configuration has declared here, kept where everything else is: a pinned map of bytes, put in place by a rename.
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap, mapType } from '../kernel/map.ts';
import { noOwnership, type Ownership } from '../model/everything.ts';
import type { Maps } from './maps.ts';

const mapName = 'ownership';
const newName = 'ownership_new';
const blockBytes = 4096;

export function readOwnership({ directory }: Pick<Maps, 'directory'>): Ownership {
  using map = BpfMap.openPinned(join(directory, mapName));
  if (map === undefined) return noOwnership;
  const blocks = [...map.entries()].map(([, value]) => value);
  const text = Buffer.concat(blocks).toString('utf8').replace(/\0+$/, '');
  return { ...noOwnership, ...(JSON.parse(text) as Partial<Ownership>) };
}

/** Under the instance's lock. */
export function writeOwnership({ directory }: Pick<Maps, 'directory'>, ownership: Ownership): void {
  const text = Buffer.from(JSON.stringify(ownership), 'utf8');
  const count = Math.ceil(text.length / blockBytes);
  using map = BpfMap.create({
    type: mapType.array,
    name: mapName,
    keySize: 4,
    valueSize: blockBytes,
    maxEntries: count,
  });
  const keys = Buffer.alloc(4 * count);
  for (let index = 0; index < count; index++) keys.writeUInt32LE(index, 4 * index);
  const blocks = Buffer.alloc(blockBytes * count);
  text.copy(blocks);
  map.updateBatch(keys, blocks, count);
  // Of one who died here before.
  rmSync(join(directory, newName), { force: true });
  map.pin(join(directory, newName));
  renameSync(join(directory, newName), join(directory, mapName));
}

export function areSameOwners(a: Ownership, b: Ownership): boolean {
  return (Object.keys(a) as (keyof Ownership)[]).every((kind) => {
    const [some, others] = [a[kind], b[kind]];
    return some.length === others.length && some.every((name, index) => name === others[index]);
  });
}
