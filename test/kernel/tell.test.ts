// fullnat by TCP: the handshake's packets tell the real server the client, in the TOA option, and no others do.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import { build, checksumErrors, type Description, flag, type IpPacket, parse } from '../packets.ts';
import { client, destination, openStage, rip, type Stage, service, six, vip } from './stage.ts';

const mss = Buffer.from([2, 4, 5, 0xb4]);
const linux = Buffer.concat([mss, Buffer.from([4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7])]);
const timestamps = Buffer.from([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  const destinations = [1, 2].map((number) => ({ ...destination(number, 'fullnat'), port: 8080 }));
  stage.install(
    service({ destinations: destinations.slice(0, 1) }),
    service({
      vip: six.vip,
      destinations: [{ ...destination(1, 'fullnat'), rip: parseAddress(six.rip(1)), port: 8080 }],
    }),
    service({ port: 81, destinations: [destination(1, 'masq')] }),
    service({ port: 82, destinations: [{ ...destination(1, 'fullnat'), rip: parseAddress(six.rip(1)) }] }),
    service({ protocol: 'udp', destinations: [{ ...destination(1, 'fullnat'), port: 8080 }] }),
  );
  // The ways are looked up once, and known from then on.
  for (const family of [4, 6] as const) stage.walk(packet(family, { flags: flag.syn }));
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each([4, 6] as const)('by IPv%i', (family) => {
  const toa = toaOf(family, 40_000);
  const lie = toaOf(family, 22, family === 4 ? '192.0.2.99' : '2001:db8::99');
  const silence = Buffer.alloc(lie.length, 1);

  describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
    test.each([
      ['no options', Buffer.alloc(0)],
      ['one option', mss],
      ['those of Linux, which just leave room', linux],
    ])('a SYN with %s tells who sent it, before what else it says', (_, tcpOptions) => {
      const sent = packet(family, { flags: flag.syn, tcpOptions });
      const got = forwarded(hook, sent);
      expect(got.options).toEqual(Buffer.concat([toa, tcpOptions]));
      expect(got.ip).toMatchObject({ destinationPort: 8080, ttl: 63 });
      expect(got.ip.totalLength).toBe(parse(sent).ip.totalLength + toa.length);
    });

    test('so does the ACK that ends the handshake, and no packet after it', () => {
      forwarded(hook, packet(family, { flags: flag.syn, tcpOptions: linux }));
      const acknowledgement = packet(family, { flags: flag.ack, tcpOptions: timestamps });
      expect(forwarded(hook, acknowledgement).options).toEqual(Buffer.concat([toa, timestamps]));
      expect(forwarded(hook, acknowledgement).options).toEqual(timestamps);
    });

    test('a SYN that comes again says it again', () => {
      const syn = packet(family, { flags: flag.syn, tcpOptions: mss });
      for (const _ of [1, 2]) expect(forwarded(hook, syn).options).toEqual(Buffer.concat([toa, mss]));
      expect(stage.connections()).toHaveLength(1);
    });

    test('what a client says of itself counts only if it is true', () => {
      const liar = packet(family, { flags: flag.syn, tcpOptions: lie });
      expect(forwarded(hook, liar).options).toEqual(Buffer.concat([toa, silence]));
      stage.settle();
      const honest = packet(family, { flags: flag.syn, tcpOptions: toa });
      expect(forwarded(hook, honest).options).toEqual(toa);
    });

    test('a packet with a payload goes on as it is', () => {
      const sent = packet(family, { flags: flag.syn, tcpOptions: mss, payload: Buffer.from('fast open') });
      expect(forwarded(hook, sent).options).toEqual(mss);
      expect(stage.news()).toEqual({});
    });

    test('without room it goes on as it is, and is counted', () => {
      const full = Buffer.concat([linux, Buffer.alloc(40 - linux.length, 1)]);
      expect(forwarded(hook, packet(family, { flags: flag.syn, tcpOptions: full })).options).toEqual(full);
      expect(stage.news()).toEqual({ 'client-untold': 1 });
    });

    test.each([
      ['a SYN with a payload', { flags: flag.syn, payload: Buffer.from('fast open') }, Buffer.alloc(0)],
      ['a SYN without room', { flags: flag.syn }, Buffer.alloc(family === 4 ? 32 : 20, 1)],
      ['the first ACK, with a payload', { flags: flag.ack | flag.psh, payload: Buffer.from('hello') }, timestamps],
      ['a packet amid the connection', { flags: flag.ack }, timestamps],
      ['the last one', { flags: flag.ack | flag.fin }, timestamps],
    ])('a lie in %s goes no further', (name, change, rest) => {
      if (!name.includes('SYN')) forwarded(hook, packet(family, { flags: flag.syn }));
      if (name.includes('amid')) forwarded(hook, packet(family, { flags: flag.ack }));
      const tcpOptions = family === 4 ? Buffer.concat([lie, rest]) : Buffer.concat([lie, rest.subarray(0, 20)]);
      const got = forwarded(hook, packet(family, { ...change, tcpOptions }));
      expect(got.options).toEqual(Buffer.concat([silence, tcpOptions.subarray(lie.length)]));
    });

    test('what only looks like the option is left alone', () => {
      forwarded(hook, packet(family, { flags: flag.syn }));
      forwarded(hook, packet(family, { flags: flag.ack }));
      for (const tcpOptions of [Buffer.from([254, 4, 1, 2]), Buffer.concat([Buffer.from([1, 1, 1, 1]), lie])])
        expect(forwarded(hook, packet(family, { flags: flag.ack, tcpOptions })).options).toEqual(tcpOptions);
      const payload = Buffer.from([254, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
      const sent = packet(family, { flags: flag.ack, payload });
      expect(forwarded(hook, sent).ip.payload).toEqual(payload);
    });

    test('padding behind a packet stays behind it', () => {
      const sent = packet(family, { flags: flag.syn, padding: 12 });
      expect(forwarded(hook, sent).options).toEqual(toa);
    });
  });
});

test('masq tells nobody, nor does UDP', () => {
  const masqueraded = packet(4, { flags: flag.syn, destinationPort: 81, tcpOptions: mss });
  expect(forwarded('tc', masqueraded).options).toEqual(mss);
  const { ip } = forwarded('tc', build({ ...ends(4), payload: Buffer.from('hello') }));
  expect(ip).toMatchObject({ destination: rip(1), totalLength: 33 });
});

test('a lie that a real server of the other family would read goes no further either', () => {
  const lie = toaOf(6, 22, '2001:db8::99');
  const got = forwarded('tc', packet(4, { flags: flag.syn, destinationPort: 82, tcpOptions: lie }));
  expect(got.ip.destination).toBe(six.rip(1));
  expect(got.options).toEqual(Buffer.alloc(lie.length, 1));
});

function ends(family: 4 | 6): Description {
  const place = family === 4 ? { source: client, destination: vip } : { source: six.client, destination: six.vip };
  return { ...place, sourcePort: 40_000, destinationPort: 80 };
}

function packet(family: 4 | 6, change: Partial<Description>): Buffer {
  return build({ ...ends(family), ...change });
}

function forwarded(hook: 'xdp' | 'tc', frame: Buffer): { readonly ip: IpPacket; readonly options: Buffer } {
  const { verdict, packet: got } = stage[hook](frame);
  expect(verdict).toBe('redirect');
  expect(checksumErrors(got)).toEqual([]);
  return { ip: parse(got).ip, options: optionsOf(got) };
}

/** TCP's; there are none in front of it. */
function optionsOf(frame: Buffer): Buffer {
  const tcp = frame.subarray(parse(frame).etherType === 0x0800 ? 34 : 54);
  return tcp.subarray(20, (tcp.readUInt8(12) >> 4) * 4);
}

/** As DPVS spells it. */
function toaOf(family: 4 | 6, port: number, address = family === 4 ? client : six.client): Buffer {
  const { bytes } = parseAddress(address);
  const head = Buffer.from([254, 4 + bytes.length, 0, 0]);
  head.writeUInt16BE(port, 2);
  return Buffer.concat([head, Buffer.from(bytes)]);
}
