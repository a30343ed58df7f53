// Addresses: every form that is read, every form that is refused, and that writing and reading are inverse.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Address,
  compareAddresses,
  equalAddresses,
  formatAddress,
  formatEndpoint,
  isInNetwork,
  isLoopback,
  isUnicast,
  parseAddress,
  readAddress,
  readInetAton,
} from './address.ts';

const v4: fc.Arbitrary<Address> = fc
  .array(fc.nat(255), { minLength: 4, maxLength: 4 })
  .map((bytes) => ({ family: 4, bytes }));
/** With many zeros, as these are what :: is about. */
const v6: fc.Arbitrary<Address> = fc
  .array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 })
  .map((bytes) => ({ family: 6, bytes }));
const anyAddress = fc.oneof(v4, v6);

describe('reading an address', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['FD00:A::0100', 'fd00:a::100'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::102:304', '::1.2.3.4'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ])('%s is %s', (text, written) => {
    expect(formatAddress(parseAddress(text))).toBe(written);
  });

  test.each([
    ...['', '10.0.0', '10.0.0.256', '10.0.0.01', '10.0.0.1 ', '1.2.3.4.5', 'localhost'],
    ...[':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8::', '1:2:3:4:5:6:7:8:9', '12345::'],
    ...['::1%eth0', '[::1]', '1.2.3.4::', '::1.2.3.4:5', ':1::2'],
  ])('%j is no address', (text) => {
    expect(readAddress(text)).toBeUndefined();
    expect(() => parseAddress(text)).toThrow('expected an IPv4 or IPv6 address');
  });

  test('is the inverse of writing it', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });
});

describe("reading an IPv4 address in inet_aton's forms", () => {
  test.each([
    ['10.0.0', '10.0.0.0'],
    ['10.1', '10.0.0.1'],
    ['24', '0.0.0.24'],
    ['10.0.257', '10.0.1.1'],
    ['0x0a.010.0.1', '10.8.0.1'],
    ['4294967295', '255.255.255.255'],
    ['10.0.0.1 whatever', '10.0.0.1'],
  ])('%s is %s', (text, written) => {
    expect(readInetAton(text)).toEqual(parseAddress(written));
  });

  test.each(['', '10.0.0.256', '256.1', '4294967296', '10..1', '10.0.0.0.1', '1.2.3.09', '0x', 'abc', ' 1.2.3.4'])(
    '%j is none',
    (text) => {
      expect(readInetAton(text)).toBeUndefined();
    },
  );

  test('reads what is written', () => {
    fc.assert(
      fc.property(v4, (address) => {
        expect(readInetAton(formatAddress(address))).toEqual(address);
      }),
    );
  });
});

describe('comparing addresses', () => {
  test('gives one order, in which only equal addresses are equal', () => {
    fc.assert(
      fc.property(anyAddress, anyAddress, anyAddress, (one, other, third) => {
        expect(Math.sign(compareAddresses(one, other))).toBe(-Math.sign(compareAddresses(other, one)) + 0);
        expect(equalAddresses(one, other)).toBe(formatAddress(one) === formatAddress(other));
        const sorted = [one, other, third].sort(compareAddresses).map(formatAddress);
        expect([third, other, one].sort(compareAddresses).map(formatAddress)).toEqual(sorted);
      }),
    );
  });
});

test('an endpoint of IPv6 is bracketed', () => {
  expect(formatEndpoint(parseAddress('fd00::1'), 80)).toBe('[fd00::1]:80');
  expect(formatEndpoint(parseAddress('10.0.0.1'), 0)).toBe('10.0.0.1:0');
});

test.each([
  ['10.1.0.1', true],
  ['127.0.0.1', true],
  ['240.0.0.1', true],
  ['0.0.0.0', false],
  ['0.1.2.3', false],
  ['224.0.0.5', false],
  ['255.255.255.255', false],
  ['fd00::1', true],
  ['::1', true],
  ['::', false],
  ['ff02::1', false],
  ['fe80::1', false],
  ['::ffff:10.1.0.1', false],
  ['::10.1.0.1', true],
])('%s can be a real server: %s', (text, expected) => {
  expect(isUnicast(parseAddress(text))).toBe(expected);
});

test.each<[string, boolean]>([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['128.0.0.1', false],
  ['::1', true],
  ['::', false],
  ['7f00::1', false],
])('%s is a loopback address: %s', (text, expected) => {
  expect(isLoopback(parseAddress(text))).toBe(expected);
});

describe('a network', () => {
  test.each([
    ['10.0.0.7', '10.0.0.0', 29, true],
    ['10.0.0.8', '10.0.0.0', 29, false],
    ['10.9.9.9', '0.0.0.0', 0, true],
    ['10.0.0.1', '10.0.0.1', 32, true],
    ['2001:db8:0:1::1', '2001:db8::', 63, true],
    ['2001:db8:0:1::1', '2001:db8::', 64, false],
    ['10.0.0.1', '::', 0, false],
  ])('%s in %s/%i: %s', (one, network, bits, expected) => {
    expect(isInNetwork(parseAddress(one), parseAddress(network), bits)).toBe(expected);
  });
});
