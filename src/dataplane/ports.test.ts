// fullnat's ports and those of the director's own sockets are apart, as far as the host leaves any.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { localPorts } from './ports.ts';

describe('local ports', () => {
  test('are those around the range of the host', () => {
    expect(localPorts(32768, 60999)).toEqual({
      port_low: 1024,
      port_high: 65535,
      reserved_low: 32768,
      reserved_high: 60999,
    });
  });
  test.each([
    [1024, 65535],
    [1, 65535],
    [1024, 64000],
  ])('are all when the host claims %d to %d', (first, last) => {
    expect(localPorts(first, last)).toEqual({
      port_low: 1024,
      port_high: 65535,
      reserved_low: 65536,
      reserved_high: 65535,
    });
  });
  test('are always some thousands', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 }), (a, b) => {
        const { port_low, port_high, reserved_low, reserved_high } = localPorts(Math.min(a, b), Math.max(a, b));
        const reserved = reserved_high - reserved_low + 1;
        expect(reserved).toBeGreaterThanOrEqual(0);
        expect(port_high - port_low + 1 - reserved).toBeGreaterThanOrEqual(4096);
      }),
    );
  });
});
