// DNS messages: what is asked, every kind of record as it is written, and whatever else comes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAnswer, encodeQuestion, type RecordType } from './dns-message.ts';

test('a question is as RFC 1035 has it', () => {
  expect(encodeQuestion(0x1234, 'www.example.', 'AAAA').toString('hex')).toBe(
    '12340100000100000000000003777777076578616d706c6500001c0001',
  );
  expect(() => encodeQuestion(1, 'a..b', 'A')).toThrow('expected a name of DNS');
});

test.each<[RecordType, string, string]>([
  ['A', '0001000100000000 0004c0000207', '192.0.2.7'],
  ['AAAA', '001c000100000000 0010 20010db8000000000000000000000007', '2001:db8::7'],
  ['CNAME', '0005000100000000 0006 03777732c010', 'ww2.example'],
  ['MX', '000f000100000000 0009 000a 046d61696cc010', '10 mail.example'],
  ['SRV', '0021000100000000 000c 000100020050 0374636ac010', '1 2 80 tcj.example'],
  ['TXT', '0010000100000000 0006 0268690161 00', 'hia'],
  [
    'SOA',
    '0006000100000000 001c c010 036d6168c010 00000001 00000002 00000003 00000004 00000005',
    'example mah.example 1 2 3 4 5',
  ],
])('%s', (type, record, text) => {
  const question = encodeQuestion(7, 'www.example', type);
  question.writeUInt16BE(0x8180, 2);
  question.writeUInt16BE(1, 6);
  const message = Buffer.concat([question, Buffer.from('c00c', 'hex'), Buffer.from(record.replaceAll(' ', ''), 'hex')]);
  expect(decodeAnswer(message, type)).toEqual({ id: 7, code: 0, isCut: false, records: [text] });
  for (let length = 0; length < message.length; length++) {
    expect(decodeAnswer(message.subarray(0, length), type)).toBeUndefined();
  }
});

test('whatever comes is an answer or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      decodeAnswer(Buffer.from(bytes), 'SOA');
    }),
  );
});

test('names that point in a circle are none', () => {
  const message = Buffer.from('000781800001000000000000c00c00010001', 'hex');
  expect(decodeAnswer(message, 'A')).toBeUndefined();
});
