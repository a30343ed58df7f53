// The kernel's hsiphash of one 32-bit word on 64-bit machines: SipHash-1-3, cut to 32 bits (lib/siphash.c).
const mask = 0xffffffffffffffffn;
const initial = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n] as const;

/** Both words of the key are `key`. */
export function siphash(word: number, key: number): number {
  let [a, b, c, d] = initial.map((start) => start ^ BigInt(key)) as [bigint, bigint, bigint, bigint];
  const round = (): void => {
    a = (a + b) & mask;
    b = rotated(b, 13n) ^ a;
    a = rotated(a, 32n);
    c = (c + d) & mask;
    d = rotated(d, 16n) ^ c;
    a = (a + d) & mask;
    d = rotated(d, 21n) ^ a;
    c = (c + b) & mask;
    b = rotated(b, 17n) ^ c;
    c = rotated(c, 32n);
  };
  const block = (4n << 56n) | BigInt(word);
  d ^= block;
  round();
  a ^= block;
  c ^= 0xffn;
  round();
  round();
  round();
  return Number((a ^ b ^ c ^ d) & 0xffffffffn);
}

function rotated(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & mask;
}
