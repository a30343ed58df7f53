// The capture stream comes in arbitrary pieces.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPcapReader } from './pcap.ts';

function fileHeader(magic = 0xa1b23c4d, linkType = 1): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(magic, 0);
  header.writeUInt32LE(linkType, 20);
  return header;
}

function record(seconds: number, nanoseconds: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(16);
  for (const [index, value] of [seconds, nanoseconds, bytes.length, bytes.length + 100].entries()) {
    header.writeUInt32LE(value, index * 4);
  }
  return Buffer.concat([header, bytes]);
}

it('gives every packet once and whole, however the stream is cut', () => {
  const packet = fc.record({
    seconds: fc.nat(2 ** 31),
    nanoseconds: fc.nat(999_999_999),
    bytes: fc.uint8Array({ maxLength: 80 }),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }), (packets, cuts) => {
      const stream = Buffer.concat([
        fileHeader(),
        ...packets.map(({ seconds, nanoseconds, bytes }) => record(seconds, nanoseconds, bytes)),
      ]);
      const edges = [0, ...[...cuts].sort((a, b) => a - b), stream.length];
      const read = createPcapReader();
      const got = edges
        .slice(1)
        .flatMap((end, index) => read(stream.subarray(edges[index], Math.max(edges[index] ?? 0, end))));
      expect(got.map(({ timeNs, bytes }) => [timeNs, [...bytes]])).toEqual(
        packets.map(({ seconds, nanoseconds, bytes }) => [
          BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
          [...bytes],
        ]),
      );
    }),
  );
});

it.each([
  ['microseconds', fileHeader(0xa1b2c3d4)],
  ['another link type', fileHeader(0xa1b23c4d, 113)],
])('refuses a capture with %s', (_, header) => {
  expect(() => createPcapReader()(header)).toThrow(/expected a little-endian nanosecond capture of Ethernet/);
});
