// Layouts of a compiled object's types, beside what clang itself says of them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { compile } from '../../test/kernel/compile.ts';
import { type Layouts, readLayouts } from './btf.ts';

const sample = compile(fileURLToPath(new URL('testdata/sample.bpf.c', import.meta.url)));
const layouts: Layouts = readLayouts(sample.path);

afterAll(() => sample[Symbol.dispose]());

describe('a struct', () => {
  const members = [
    ['mac', 0, 6, 'array'],
    ['words', 6, 6, 'array'],
    ['inner', 12, 8, 'struct'],
    ['pair', 20, 16, 'array'],
    ['control', 40, 4, 'int'],
    ['seen', 44, 4, 'int'],
    ['life', 40, 8, 'int'],
    ['colour', 48, 4, 'int'],
    ['number', 56, 8, 'struct'],
    ['debt', 64, 8, 'int'],
    ['fixed', 72, 4, 'int'],
    ['pointer', 80, 8, 'int'],
    ['flag', 88, 1, 'int'],
  ] as const;

  test('has all members, those of its anonymous unions and structs included', () => {
    const outer = layouts.struct('outer');
    expect([...outer.fields.keys()]).toEqual(members.map(([name]) => name));
    expect(outer.size).toBe(96);
  });

  test.each(members)('has %s at %i, %i bytes, of kind %s', (name, offset, size, kind) => {
    expect(layouts.struct('outer').field(name)).toMatchObject({ name, offset, size, kind });
  });

  test('nests: elements of arrays and members of structs have layouts of their own', () => {
    const outer = layouts.struct('outer');
    expect(outer.field('words')).toMatchObject({ length: 3, element: { kind: 'int', size: 2, signed: false } });
    expect(outer.field('pair')).toMatchObject({ length: 2, element: { kind: 'struct', tag: 'inner', size: 8 } });
    expect(layouts.struct('inner').field('balance')).toMatchObject({ offset: 4, signed: true });
    expect(layouts.struct('number').field('half')).toMatchObject({ offset: 0, length: 2 });
  });

  test('that the object has not is named in the error', () => {
    expect(() => layouts.struct('absent')).toThrow(/sample\.bpf\.o: its BTF has no struct absent/);
    expect(() => layouts.struct('outer').field('absent')).toThrow('struct outer has no member absent');
  });
});

test('an enum has its names and values in their order', () => {
  expect([...layouts.enum('colour')]).toEqual([
    ['COLOUR_RED', 0],
    ['COLOUR_GREEN', 5],
    ['COLOUR_BLUE', 6],
  ]);
  expect(layouts.enum('signed_colour').get('COLOUR_NONE')).toBe(-1);
  expect(layouts.enum('large').get('LARGE_NONE')).toBe(0xffff_ffff);
});

test('the constants are found in .rodata, not in a section that begins so', () => {
  const constants = layouts.variables('.rodata');
  expect([...constants.fields.keys()]).toEqual(['first', 'config']);
  expect(constants.field('config')).toMatchObject({ kind: 'struct', tag: 'config', offset: 8, size: 16 });
  expect(constants.size).toBe(24);
});

test('all is read in less than 5 ms', () => {
  const times = Array.from({ length: 10 }, () => {
    const start = performance.now();
    readLayouts(sample.path).struct('outer');
    return performance.now() - start;
  });
  expect(Math.min(...times)).toBeLessThan(5);
});

test('a file that is no object is refused', () => {
  const path = join(sample.path, '..', 'text.o');
  writeFileSync(path, 'no object');
  expect(() => readLayouts(path)).toThrow(/text\.o: expected a 64-bit little-endian ELF object/);
});
