// Objects to bytes and back by a layout.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { be16, decode, encode, encodeInto } from './codec.ts';
import { cStruct, type Layout, roundUp, structLayout } from './layout.ts';

const inner = cStruct('inner', [
  ['low', 'u16'],
  ['balance', 's32'],
]);
const pair: Layout = { kind: 'array', size: inner.size * 2, length: 2, element: inner };
const outer = structLayout('outer', 48, [
  { ...inner, name: 'inner', offset: 0 },
  { ...pair, name: 'pair', offset: 8 },
  { kind: 'int', size: 8, signed: true, name: 'debt', offset: 24 },
  { kind: 'int', size: 4, signed: false, name: 'control', offset: 32 },
  { kind: 'int', size: 4, signed: false, name: 'seen', offset: 36 },
  { kind: 'int', size: 8, signed: false, name: 'life', offset: 32 },
  { kind: 'array', size: 6, length: 6, element: { kind: 'int', size: 1, signed: false }, name: 'mac', offset: 40 },
]);

describe('cStruct', () => {
  test('aligns every member to its own size, and the whole to the largest', () => {
    const layout = cStruct('s', [
      ['a', 'u8'],
      ['b', 'u64'],
      ['c', 'u16'],
      ['name', 'u8', 3],
      ['d', 'u32'],
    ]);
    expect([...layout.fields.values()].map(({ offset }) => offset)).toEqual([0, 8, 16, 18, 24]);
    expect(layout.size).toBe(32);
  });
});

describe('decode and encode', () => {
  const innerValue = fc.record({
    low: fc.nat(0xffff),
    balance: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  });

  test('give back what was put in', () => {
    const value = fc.record({
      inner: innerValue,
      pair: fc.array(innerValue, { minLength: 2, maxLength: 2 }),
      debt: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      life: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      mac: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(value, (given) => {
        expect(decode(outer, encode(outer, given))).toMatchObject(given);
      }),
    );
  });

  test('members of an anonymous union are two views of the same bytes', () => {
    const bytes = encode(outer, { control: 1, seen: 2 });
    expect(decode<{ life: bigint }>(outer, bytes).life).toBe(0x2_0000_0001n);
  });

  test('members that are not given stay as they are', () => {
    const bytes = Buffer.alloc(outer.size + 4, 0xff);
    encodeInto(outer, { inner: { low: 0 }, seen: undefined }, bytes, 4);
    expect(bytes.subarray(0, 8).toString('hex')).toBe('ffffffff0000ffff');
    expect(bytes.subarray(8).every((byte) => byte === 0xff)).toBe(true);
  });

  test('a shorter array is filled up with zeros', () => {
    const bytes = Buffer.alloc(outer.size, 0xff);
    encodeInto(outer, { mac: [1, 2] }, bytes);
    expect(decode<{ mac: Buffer }>(outer, bytes).mac).toEqual(Buffer.from([1, 2, 0, 0, 0, 0]));
  });

  const refused = [
    ['an unknown member', { shed: 1 }, /struct outer has no member shed/],
    ['too many elements', { pair: [{}, {}, {}] }, /at most 2 elements, got 3/],
    ['a number that does not fit', { control: 2 ** 32 }, /out of range/],
    ['a string', { control: '1' }, /expected a number, got string/],
  ] as const;
  test.each(refused)('%s is refused', (_, value, message) => {
    expect(() => encode(outer, value)).toThrow(message);
  });
});

test('be16 is its own inverse and swaps two bytes', () => {
  expect(be16(80)).toBe(0x5000);
  fc.assert(fc.property(fc.nat(0xffff), (port) => be16(be16(port)) === port));
});

test('roundUp gives the next multiple', () => {
  expect([0, 1, 8, 9].map((value) => roundUp(value, 8))).toEqual([0, 8, 8, 16]);
});
