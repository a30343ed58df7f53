// Maps of each type in use: single entries, batches, lists and shared memory.
import { describe, expect, onTestFinished, test } from 'vitest';
import { KernelError } from './errno.ts';
import { possibleCpus } from './libbpf.ts';
import { BpfMap, type MapSpec, mapFlag, mapType } from './map.ts';

const types = [
  ['a hash', { type: mapType.hash, flags: mapFlag.noPrealloc }],
  ['an LRU hash', { type: mapType.lruHash }],
  ['a per-CPU hash', { type: mapType.percpuHash }],
] as const;

describe.each(types)('%s', (_, given) => {
  test('gives back what was put in, and nothing when it was deleted', () => {
    const map = create(given);
    map.update(u32(7), value(map, 70));
    expect(map.lookup(u32(7))).toEqual(value(map, 70));
    expect(map.delete(u32(7))).toBe(true);
    expect(map.delete(u32(7))).toBe(false);
    expect(map.lookup(u32(7))).toBeUndefined();
  });

  test('lists all its entries, however many', () => {
    const map = create({ ...given, maxEntries: 20_000 });
    const count = 10_000;
    const keys = Buffer.concat(Array.from({ length: count }, (_, index) => u32(index)));
    const values = Buffer.concat(Array.from({ length: count }, (_, index) => value(map, index * 3)));
    map.updateBatch(keys, values, count);
    const listed = new Map([...map.entries()].map(([key, bytes]) => [key.readUInt32LE(), bytes.readUInt32LE()]));
    expect(listed.size).toBe(count);
    expect([...listed].every(([key, entry]) => entry === key * 3)).toBe(true);
  });
});

test('an empty map lists nothing', () => {
  expect([...create({ type: mapType.hash }).entries()]).toEqual([]);
});

test('an array lists every slot in its order', () => {
  const map = create({ type: mapType.array, maxEntries: 3 });
  map.update(u32(1), value(map, 9));
  expect([...map.entries()].map(([key, bytes]) => [key.readUInt32LE(), bytes.readUInt32LE()])).toEqual([
    [0, 0],
    [1, 9],
    [2, 0],
  ]);
});

test('a map without batches is listed and filled one by one', () => {
  const sizes = { name: 'outer', keySize: 4, valueSize: 4, maxEntries: 4 };
  const inner = create({ type: mapType.array });
  const map = own(BpfMap.create({ type: mapType.hashOfMaps, innerFd: inner.fd, ...sizes }));
  map.updateBatch(Buffer.concat([u32(1), u32(2)]), Buffer.concat([u32(inner.fd), u32(inner.fd)]), 2);
  expect([...map.entries()].map(([, id]) => id.readUInt32LE())).toEqual([inner.info.id, inner.info.id]);
});

test('what a map is can be asked', () => {
  const map = create({ type: mapType.array, maxEntries: 5, flags: mapFlag.mmapable });
  const { id, ...rest } = map.info;
  expect(id).toBeGreaterThan(0);
  expect(rest).toEqual({
    type: mapType.array,
    name: 'test',
    keySize: 4,
    valueSize: 4,
    maxEntries: 5,
    flags: mapFlag.mmapable,
    btfId: 0,
  });
});

test('a per-CPU value has room for every possible CPU', () => {
  expect(create({ type: mapType.percpuArray }).valueBytes).toBe(8 * possibleCpus());
});

describe('mmap', () => {
  test('shows what the kernel has, and changes it, each value at a multiple of 8', () => {
    const map = create({ type: mapType.array, maxEntries: 1000, flags: mapFlag.mmapable });
    const memory = map.mmap();
    expect(memory.byteLength).toBe(8000);
    const numbers = new Uint32Array(memory);
    map.update(u32(999), u32(5));
    expect(numbers[999 * 2]).toBe(5);
    numbers[3 * 2] = 6;
    expect(map.lookup(u32(3))).toEqual(u32(6));
    expect(map.mmap()).toBe(memory);
  });

  test('is refused for a map that was not made for it', () => {
    expect(() => create({ type: mapType.array }).mmap()).toThrow(KernelError);
  });
});

describe('mistakes', () => {
  const cases: readonly (readonly [string, (map: BpfMap) => void, RegExp])[] = [
    ['a key of the wrong length', (map) => map.lookup(Buffer.alloc(3)), /test: expected a key of 4 bytes, got 3/],
    ['a value that is too short', (map) => map.update(u32(0), Buffer.alloc(1)), /test: expected 1 values of 4 bytes/],
    ['too few keys', (map) => map.updateBatch(u32(0), Buffer.alloc(8), 2), /test: expected 2 keys, got 4 bytes/],
    [
      'one entry too many',
      (map) => map.updateBatch(Buffer.alloc(12, 'abcdefghijkl'), Buffer.alloc(12), 3),
      /test: .*\(E2BIG\)/,
    ],
  ];
  test.each(cases)('%s is an error that names the map', (_, work, message) => {
    const map = create({ type: mapType.hash, maxEntries: 2 });
    expect(() => work(map)).toThrow(message);
  });

  test('a map that the kernel will not make is an error that names it', () => {
    expect(() => create({ type: mapType.array, maxEntries: 0 })).toThrow(/bpf_map_create test: .*\(EINVAL\)/);
  });

  test('a path without a pin gives undefined', () => {
    expect(BpfMap.openPinned('/nonexistent')).toBeUndefined();
  });

  test('disposing twice closes once', () => {
    const map = create({ type: mapType.hash });
    map[Symbol.dispose]();
    const other = create({ type: mapType.hash });
    map[Symbol.dispose]();
    expect(() => other.update(u32(0), u32(0))).not.toThrow();
  });
});

function create(spec: Partial<MapSpec> & { readonly type: number }): BpfMap {
  return own(BpfMap.create({ name: 'test', keySize: 4, valueSize: 4, maxEntries: 16, ...spec }));
}

function own(map: BpfMap): BpfMap {
  onTestFinished(() => map[Symbol.dispose]());
  return map;
}

function value(map: BpfMap, number: number): Buffer {
  const bytes = Buffer.alloc(map.valueBytes);
  bytes.writeUInt32LE(number);
  return bytes;
}

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}
