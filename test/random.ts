// Choices that follow from a seed.

export interface Random {
  /** From 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(values: readonly T[]): T;
  bytes(count: number): Buffer<ArrayBuffer>;
  /** Once in `times`. */
  once(times: number): boolean;
  /** Some text, or none. */
  maybe(times: number, text: () => string): string;
}

/** mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  const once = (times: number): boolean => below(times) === 0;
  return {
    below,
    once,
    bytes: (count) => {
      const bytes = Buffer.alloc(count + 3);
      for (let at = 0; at < count; at += 4) bytes.writeUInt32LE(next(), at);
      return bytes.subarray(0, count);
    },
    maybe: (times, text) => (once(times) ? text() : ''),
    pick: (values) => {
      const value = values[below(values.length)];
      if (value === undefined) throw new Error('nothing to pick from');
      return value;
    },
  };
}
