// The quick reader agrees with the yaml library wherever it says anything.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parsePlain } from './plain.ts';
import { parseYaml } from './yaml.ts';

test.each<[string, unknown]>([
  ['a: 1\nb: [x, "y z", {c: true}]\n', { a: 1, b: ['x', 'y z', { c: true }] }],
  [
    '---\n# note\nservices:\n- tcp: 192.0.2.10:80 # web\n  destinations:\n  - 10.1.0.1:8080\n  - {rip: 10.1.0.2, weight: 2}\n',
    { services: [{ tcp: '192.0.2.10:80', destinations: ['10.1.0.1:8080', { rip: '10.1.0.2', weight: 2 }] }] },
  ],
  ['- - a\n  - b\n-\n  c: 2s\n-\n', [['a', 'b'], { c: '2s' }, null]],
  ["a:\nb: ''\n", { a: null, b: '' }],
])('reads %j', (text, value) => {
  expect(parsePlain(text)).toEqual(value);
  expect(parseYaml(text).value).toEqual(value);
});

test.each([
  '',
  '# x\n',
  'a: b\n  c\n',
  'a: 1.5\n',
  'a: *b\n',
  'a: &b c\n',
  'a: !b c\n',
  'a: |\n  b\n',
  'a: "\\n"\n',
  "a: 'b''c'\n",
  'a: 1\na: 2\n',
  'a: ~\n',
  'a: NULL\n',
  'true: 1\n',
  '<<: 1\n',
  '__proto__: 1\n',
  'toString: 1\n',
  'a: b: c\n',
  'a:\n  b: 1\n c: 2\n',
  '- a\n  b\n',
  'a: [1, 2\n',
  'a: {b: 1}}\n',
  'a: 1\n---\nb: 2\n',
  'a: 1\n...\n',
  '%YAML 1.2\n---\na: 1\n',
  'a:\tb\n',
  'a: b\r\n',
  '? a\n: b\n',
  'a: 0x10\n',
  'a: 1e3\n',
  'a: .inf\n',
  'a: "x" y\n',
  'a: x y\n',
  '[a]: 1\n',
  'a\n',
  'a: [b #c]\n',
])('leaves %j to the library', (text) => {
  expect(parsePlain(text)).toBeUndefined();
});

const scalar = fc.oneof(
  fc.constantFrom(
    'a',
    'x y',
    '10.1.0.1:80',
    '10.1',
    '1e3',
    '2s',
    '0x1',
    'null',
    'True',
    'no',
    '~',
    '',
    '-',
    '- a',
    '#',
    'a #b',
    'a: b',
    '[',
    "it's",
    '"',
    '&a',
    '*a',
    '!a',
    '%',
    '@',
    '`',
    '::1',
    '/x',
    '.5',
    '+1',
    '007',
  ),
  fc.integer({ min: -5, max: 99999 }),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 4 }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b_c', 'd-e', 'null', 'x y', '1'), tie('value'), { maxKeys: 3 }),
  ),
}));

function agrees(text: string): void {
  const plain = parsePlain(text);
  if (plain === undefined) return;
  const { value: whole, problems } = parseYaml(text);
  expect(problems).toEqual([]);
  expect(plain).toEqual(whole);
}

test('whatever is written, it is read as the library reads it or not at all', () => {
  let read = 0;
  fc.assert(
    fc.property(value, fc.constantFrom(0, 20, 80), fc.boolean(), (one, lineWidth, indentSeq) => {
      const text = stringify(one, { lineWidth, indentSeq });
      if (parsePlain(text) !== undefined) read++;
      agrees(text);
      if (typeof one === 'object') agrees(`${JSON.stringify(one)}\n`);
    }),
    { numRuns: 300 },
  );
  expect(read).toBeGreaterThan(5);
});

test('damaged text as well', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    ': ',
    ':',
    '- ',
    '-',
    '\n',
    '\n  ',
    '\n    ',
    ' ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '"',
    "'",
    '#',
    ' #',
    '1',
    '10.1.0.1',
    'true',
    '---',
    '|',
    '&',
    '*',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => agrees(pieces.join(''))),
    { numRuns: 2000 },
  );
});
