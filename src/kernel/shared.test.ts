// Shared memory: integers of every size in their places, none of them ever half written, and none that could be.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cStruct, type IntLayout, memberAt, structLayout } from './layout.ts';
import { sharedArray } from './shared.ts';

const integer = (size: number, signed = false): IntLayout => ({ kind: 'int', size, signed });
const outer = structLayout('outer', 32, [
  {
    ...cStruct('inner', [
      ['low', 'u16'],
      ['balance', 's32'],
    ]),
    name: 'inner',
    offset: 0,
  },
  { kind: 'array', size: 8, length: 2, element: integer(4), name: 'words', offset: 8 },
  { ...integer(8), name: 'life', offset: 16 },
  { ...integer(4), name: 'seen', offset: 20 },
  { kind: 'array', size: 6, length: 6, element: integer(1), name: 'mac', offset: 24 },
]);

describe('a column', () => {
  const sizes = [
    [1, false, 0, 255],
    [1, true, -128, 127],
    [2, false, 0, 0xffff],
    [2, true, -0x8000, 0x7fff],
    [4, false, 0, 0xffff_ffff],
    [4, true, -0x8000_0000, 0x7fff_ffff],
  ] as const;
  test.each(sizes)(
    'of %i bytes, signed %s, gives back what was put in and leaves the rest alone',
    (size, signed, ...ends) => {
      const memory = new Uint8Array(48);
      const column = sharedArray(memory.buffer, 16).numbers(8, integer(size, signed));
      for (const value of ends) {
        column.set(1, value);
        expect([column.get(0), column.get(1), column.get(2)]).toEqual([0, value, 0]);
      }
      memory.fill(0, 24, 24 + size);
      expect(memory.every((byte) => byte === 0)).toBe(true);
    },
  );

  test.each([
    [false, 0n, 2n ** 64n - 1n],
    [true, -(2n ** 63n), 2n ** 63n - 1n],
  ])('of 8 bytes, signed %s, does so too', (signed, ...ends) => {
    const column = sharedArray(new ArrayBuffer(48), 16).bigints(8, integer(8, signed));
    for (const value of ends) {
      column.set(1, value);
      expect([column.get(0), column.get(1), column.get(2)]).toEqual([0n, value, 0n]);
    }
  });

  test('of a nested member is found by its path', () => {
    const { offset, ...layout } = memberAt(outer, 'inner.balance');
    const array = sharedArray(new ArrayBuffer(64), 32);
    array.numbers(offset, layout).set(1, -5);
    expect(array.read(1, 4, 4).readInt32LE()).toBe(-5);
    expect(() => memberAt(outer, 'seen.low')).toThrow('outer.seen.low: nothing is inside of int');
  });

  const array = sharedArray(new ArrayBuffer(64), 16);
  test.each<[string, () => unknown, string]>([
    ['a member that is not aligned', () => array.numbers(2, integer(4)), '4 bytes at 2 are not aligned'],
    ['a word that is not aligned', () => array.bigints(4, integer(8)), '8 bytes at 4 are not aligned'],
    ['elements that are not aligned', () => sharedArray(new ArrayBuffer(64), 20), 'elements of 20 bytes'],
    ['what is beyond the element', () => array.numbers(16, integer(4)), 'not within 16'],
    ['an element that is not there', () => array.numbers(0, integer(4)).get(4), 'element 4: there are 4'],
    ['an element before the first', () => array.numbers(0, integer(4)).set(-1, 0), 'element -1'],
    ['no element', () => array.read(Number.NaN, 0, 4), 'element NaN'],
    ['8 bytes as a number', () => array.numbers(0, integer(8)), 'up to 4 bytes, got int of 8'],
    ['4 bytes as a bigint', () => array.bigints(0, integer(4)), 'of 8 bytes, got int of 4'],
    ['a struct as a number', () => array.numbers(0, outer), 'got struct of 32'],
  ])('is not made for %s', (_, work, message) => expect(work).toThrow(message));
});

test('any part of an element is written and read back, and the others stay', () => {
  const members = fc.constantFrom(...outer.fields.values());
  fc.assert(
    fc.property(members, fc.uint8Array({ minLength: 16, maxLength: 16 }), ({ offset, ...layout }, random) => {
      const memory = new Uint8Array(96).fill(0xee);
      const array = sharedArray(memory.buffer, 32);
      array.write(1, offset, layout, Buffer.from(random));
      const written = array.read(1, offset, layout.size);
      array.write(1, offset, layout, Buffer.alloc(16, 0xee));
      // Between inner's members are 2 bytes that belong to none.
      const expected = [...random.subarray(0, layout.size)];
      if (layout.kind === 'struct') expected.splice(2, 2, 0xee, 0xee);
      expect([...written]).toEqual(expected);
      expect(memory.every((byte) => byte === 0xee)).toBe(true);
    }),
  );
});

test('a cleared element is 0, and its neighbours are not', () => {
  const memory = new Uint8Array(96).fill(1);
  sharedArray(memory.buffer, 32).clear(1);
  expect([...memory].map((byte, at) => byte === (at >= 32 && at < 64 ? 0 : 1))).not.toContain(false);
});

/** Stands in for a packet on another CPU. The values differ in all their bytes, as a counter's do when it carries. */
const writer = `
  const { parentPort, workerData: memory } = require('node:worker_threads');
  const [words, numbers, control] = [new BigUint64Array(memory), new Uint32Array(memory), new Int32Array(memory)];
  parentPort.postMessage('ready');
  for (let round = 0; Atomics.load(control, 4) === 0; round++) {
    Atomics.store(words, 0, round & 1 ? 0x00ff_00ff_00ff_00ffn : 0xff00_ff00_ff00_ff00n);
    Atomics.store(numbers, 2, round & 1 ? 255 : 256);
  }
`;

test('nobody sees half of what another CPU writes', async () => {
  const memory = new SharedArrayBuffer(24);
  const array = sharedArray(memory, 24);
  const [word, number, stop] = [
    array.bigints(0, integer(8)),
    array.numbers(8, integer(4)),
    array.numbers(16, integer(4)),
  ];
  const worker = new Worker(writer, { eval: true, workerData: memory });
  try {
    await once(worker, 'message');
    const [words, numbers, copies] = [new Set<bigint>(), new Set<number>(), new Set<bigint>()];
    for (let round = 0; round < 1_000_000 || (words.size < 2 && round < 100_000_000); round++) {
      words.add(word.get(0));
      numbers.add(number.get(0));
      if (round % 8 === 0) copies.add(array.read(0, 0, 8).readBigUInt64LE());
    }
    const allowed = [0n, 0x00ff_00ff_00ff_00ffn, 0xff00_ff00_ff00_ff00n];
    expect([...words, ...copies].filter((value) => !allowed.includes(value))).toEqual([]);
    expect([...numbers].filter((value) => ![0, 255, 256].includes(value))).toEqual([]);
    expect(words.size).toBeGreaterThan(1);
  } finally {
    stop.set(0, 1);
    await worker.terminate();
  }
});
