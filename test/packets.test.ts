// The packets that other tests rely on: what was built is read back, and a wrong checksum is seen.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { build, checksumErrors, checksumOf, type Description, flag, parse, protocol } from './packets.ts';

const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join('.'));
const port = fc.nat(65535);
const description = fc.record({
  source: address,
  destination: address,
  sourcePort: port,
  destinationPort: port,
  ttl: fc.nat(255),
  tos: fc.nat(255),
  id: fc.nat(65535),
  dontFragment: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 64 }),
});
const tcp: Description = {
  source: '192.0.2.1',
  destination: '192.0.2.2',
  sourcePort: 1,
  destinationPort: 2,
  flags: flag.syn,
};

describe('a packet', () => {
  test('is read back as it was described', () => {
    fc.assert(
      fc.property(description, fc.option(fc.nat(63), { nil: undefined }), (described, flags) => {
        const frame = build({ ...described, ...(flags === undefined ? {} : { flags }) });
        const { payload, ...rest } = described;
        expect(parse(frame).ip).toMatchObject(rest);
        expect(parse(frame).ip.payload.equals(payload)).toBe(true);
        expect(checksumErrors(frame)).toEqual([]);
      }),
    );
  });

  test('keeps its tags and its options', () => {
    const frame = build({ ...tcp, tags: [5, 6], options: Buffer.from([1, 1, 1, 0]) });
    expect(parse(frame)).toMatchObject({ tags: [5, 6], ip: { options: Buffer.from([1, 1, 1, 0]), flags: flag.syn } });
    expect(checksumErrors(frame)).toEqual([]);
  });

  test.each([
    ['its time to live', 22, 'IP header'],
    ['a port', 34, 'IP layer 4'],
    ['its payload', 57, 'IP layer 4'],
  ])('with another byte in %s has a wrong checksum', (_, offset, error) => {
    const frame = build({ ...tcp, payload: Buffer.from('abcd') });
    frame.writeUInt8(frame.readUInt8(offset) ^ 0xff, offset);
    expect(checksumErrors(frame)).toEqual([error]);
  });

  test('in a packet is looked at too', () => {
    const inner = build(tcp).subarray(14);
    const outer = build({ source: '192.0.2.3', destination: '192.0.2.4', protocol: protocol.ipip, payload: inner });
    const frame = Buffer.concat([outer.subarray(0, 34), inner]);
    frame.writeUInt16BE(20 + inner.length, 16);
    frame.writeUInt16BE(0, 24);
    frame.writeUInt16BE(checksumOf(frame.subarray(14, 34)), 24);
    expect(checksumErrors(frame)).toEqual([]);
    expect(parse(frame).ip.inner).toMatchObject({ source: '192.0.2.1', flags: flag.syn });
    frame.writeUInt8(1, frame.length - 1);
    expect(checksumErrors(frame)).toEqual(['IP in IP layer 4']);
  });
});
