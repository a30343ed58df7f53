// What names directors, and what does not.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readDirector, toPrefix } from './director.ts';

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['10.0.0.1/32', '10.0.0.1'],
  ['10.0.0.77/24', '10.0.0.0/24'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['2001:db8::1', '2001:db8::1'],
  ['2001:DB8:0::77/64', '2001:db8::/64'],
])('%s is %s', (text, expected) => {
  expect(readDirector(text)).toBe(expected);
  expect(readDirector(expected)).toBe(expected);
});

test.each(['', 'director', '10.0.0.1/33', '10.0.0.1/', '10.0.0.1/x', '2001:db8::1/129', '10.0.0/24', '10.0.0.1/24/24'])(
  '%j is none',
  (text) => {
    expect(readDirector(text)).toBeUndefined();
  },
);

test('a prefix has just the bits that it names', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (host, length) => {
      const prefix = toPrefix(readDirector(`${host}/${length}`) ?? '');
      const bits = Buffer.from(prefix.address.bytes).readUInt32BE();
      expect(prefix.length).toBe(length);
      expect(length === 32 ? 0 : (bits << length) >>> 0).toBe(0);
    }),
  );
});
