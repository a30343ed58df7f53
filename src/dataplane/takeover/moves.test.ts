// What becomes of a struct that another build lays out in another way.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encode, type StructValue } from '../../kernel/codec.ts';
import { cStruct, type Layout, type StructLayout, structLayout } from '../../kernel/layout.ts';
import { movesBetween } from './moves.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const types = ['u8', 'u16', 'u32', 'u64'] as const;
type Member = readonly [string, (typeof types)[number]];

describe('from one layout to another', () => {
  test('members keep what they hold wherever they are, and new ones are 0', () => {
    fc.assert(
      fc.property(
        membersOf(),
        fc.array(fc.nat()),
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        (all, order, noise) => {
          const from = cStruct('one', all.before);
          const to = cStruct('one', shuffled(all.after, order));
          const old = decode<StructValue>(from, noise);
          const moved = decode<StructValue>(to, move(from, to, noise));
          for (const name of to.fields.keys()) expect(Number(moved[name])).toBe(Number(old[name] ?? 0));
        },
      ),
    );
  });

  test('a member may grow', () => {
    const from = cStruct('one', [['a', 'u16']]);
    const to = cStruct('one', [
      ['b', 'u64'],
      ['a', 'u32'],
    ]);
    expect(decode(to, move(from, to, encode(from, { a: 65535 })))).toEqual({ a: 65535, b: 0n });
  });

  test('one that became smaller is refused by name', () => {
    const [from, to] = [cStruct('one', [['a', 'u32']]), cStruct('one', [['a', 'u16']])];
    expect(() => movesBetween(from, to)).toThrow('struct one: a: it had 4 bytes and has 2');
  });

  test('what nobody reads is not taken along', () => {
    const [from, to] = [cStruct('one', [['pad', 'u32', 2]]), cStruct('one', [['reserved', 'u32', 2]])];
    expect(movesBetween(from, from)).toEqual([]);
    expect(movesBetween(from, to)).toEqual([]);
  });

  test('what fits is one piece', () => {
    const from = cStruct('one', [
      ['a', 'u32'],
      ['b', 'u32'],
    ]);
    const to = cStruct('one', [
      ['new', 'u64'],
      ['a', 'u32'],
      ['b', 'u32'],
    ]);
    expect(movesBetween(from, to)).toEqual([{ from: 0, to: 8, size: 8 }]);
  });

  test('a union goes where it goes as one, and is refused when its members part', () => {
    const from = union(0, 0);
    expect(movesBetween(from, union(8, 8))).toEqual([{ from: 0, to: 8, size: 8 }]);
    expect(() => movesBetween(from, union(0, 4))).toThrow('another member of its union was elsewhere');
  });
});

/** `words` and `whole` share their place in the first layout. */
function union(words: number, whole: number): StructLayout {
  const int = (size: number): Layout => ({ kind: 'int', size, signed: false });
  return structLayout('one', 16, [
    { ...int(4), name: 'low', offset: words },
    { ...int(4), name: 'high', offset: words + 4 },
    { ...int(8), name: 'whole', offset: whole },
  ]);
}

function move(from: StructLayout, to: StructLayout, bytes: Uint8Array): Buffer {
  const made = Buffer.alloc(to.size);
  for (const { from: at, to: place, size } of movesBetween(from, to)) made.set(bytes.subarray(at, at + size), place);
  return made;
}

/** Some members stay, some are new, some are no more; none changes its type. */
function membersOf(): fc.Arbitrary<{ readonly before: readonly Member[]; readonly after: readonly Member[] }> {
  const member = fc.record({
    type: fc.constantFrom(...types),
    isBefore: fc.boolean(),
    isAfter: fc.boolean(),
  });
  return fc.array(member, { minLength: 1, maxLength: names.length }).map((all) => {
    const named = all.map(({ type, ...rest }, index) => ({ ...rest, member: [names[index] ?? '', type] as const }));
    const first: Member = ['always', 'u32'];
    return {
      before: [first, ...named.filter(({ isBefore }) => isBefore).map((one) => one.member)],
      after: [first, ...named.filter(({ isAfter }) => isAfter).map((one) => one.member)],
    };
  });
}

function shuffled<T>(all: readonly T[], order: readonly number[]): readonly T[] {
  return all
    .map((one, index) => ({ one, key: order[index] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ one }) => one);
}
