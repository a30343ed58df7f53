// The default fits the machine, and the promise: a million connections in less than 256 MiB.
import { describe, expect, test } from 'vitest';
import { chooseSizes, mapSizes, parseConnections, slotsFor, type Units } from './sizes.ts';

const gib = 2 ** 30;
const units: Units = {
  flowBytes: 64,
  counterBytes: 64,
  slotsPerPage: 64,
  pagesPerWord: 64,
  slotsPerConnection: 3,
  buckets: 256,
};

describe('sizes', () => {
  test('hold 2^20 connections at a load of two thirds, in 192 MiB of entries', () => {
    const { flowSlots } = chooseSizes(units, 2, undefined, 24 * gib);
    expect(flowSlots * 64).toBe(192 * 2 ** 20);
    expect(flowSlots / 3).toBe(2 ** 20);
  });
  test.each([
    [0.25, 2, 262_144, 2048],
    [1, 2, 1_048_576, 8192],
    [24, 2, 3_145_728, 65_536],
    [24, 128, 3_145_728, 16_384],
  ])(
    'on %d GiB and %d CPUs are %d slots for entries and %d for destinations',
    (memory, cpus, flowSlots, destinationSlots) => {
      expect(chooseSizes(units, cpus, undefined, memory * gib)).toEqual({ flowSlots, destinationSlots });
    },
  );
  test('have room for the first table, and a quarter more', () => {
    const slots = (destinations: number): number =>
      chooseSizes(units, 2, undefined, 24 * gib, destinations).destinationSlots;
    expect([0, 50_000, 60_000, 100_000, 10_000_000].map(slots)).toEqual([65_536, 65_536, 131_072, 131_072, 1_048_576]);
  });
  test('are what was asked for, in whole pages of 64', () => {
    expect(chooseSizes(units, 2, 5000, gib).flowSlots).toBe(slotsFor(units, 5000));
    expect(slotsFor(units, 5000) % 64).toBe(0);
    expect(slotsFor(units, 5000)).toBeGreaterThanOrEqual(15_000);
  });
  test.each([0, 1023, 2 ** 24 + 1, 1.5, Number.NaN])('are not %d connections', (connections) => {
    expect(() => chooseSizes(units, 2, connections, gib)).toThrow('expected a number of connections');
  });
  test.each(['', '0', '1023', '16777217', '5e3', '0x1000', ' 5000', 'many', '-1'])('are not %j connections', (text) => {
    expect(() => parseConnections('FAIRLEAD_CONNECTIONS', text)).toThrow(
      `FAIRLEAD_CONNECTIONS: expected a number of connections from 1024 to 16777216, got ${JSON.stringify(text)}`,
    );
  });
  test.each(['1024', '16777216', '05000'])('may be for %s connections', (text) => {
    expect(parseConnections('--connections', text)).toBe(Number(text));
  });
  test('of maps follow from them: a bit for 64 slots, counters for each CPU, whole tables of buckets', () => {
    const sizes = mapSizes(units, { flowSlots: 4096 * 3 + 64, destinationSlots: 1024 }, 3);
    expect(sizes).toMatchObject({ flow_pages: 4, counters: 3072, members: 4096 });
    expect((sizes.buckets ?? 0) % 256).toBe(0);
  });
});
