// The nearest word: what it is for mistyped ones, and the laws of the distance that it goes by.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearestWord } from './nearest.ts';

const words = ['drop_entry', 'drop_packet', 'secure_tcp', 'sloppy_tcp'];

test.each([
  ['drop_entri', 'drop_entry'],
  ['droppacket', 'drop_packet'],
  ['slopy-tcp', 'sloppy_tcp'],
  ['x', undefined],
  ['', undefined],
  ['something_else', undefined],
])('%j was meant to be %s', (typed, expected) => {
  expect(nearestWord(typed, words)).toBe(expected);
});

test('the distance is that of kitten and sitting', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
});

test('the distance is 0 only from a word to itself, the same both ways, and no longer by way of a third', () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
    }),
  );
});
