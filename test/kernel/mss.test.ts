// --mss-clamp: SYNs tell no larger segments than fit, by every method, with right sums; all else stays as it is.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { Method, Service, Tunnel } from '../../src/model/service.ts';
import { build, checksumErrors, flag, parse } from '../packets.ts';
import * as stages from './stage.ts';

const { openStage, six } = stages;
const { syn, ack } = flag;
const four = { vip: stages.vip, client: stages.client, rip: stages.rip, local: '192.0.2.77', header: 20 };
const families = { IPv4: four, IPv6: { ...six, local: '2001:db8:b::77', header: 40 } } as const;
type Family = keyof typeof families;
const names = Object.keys(families) as Family[];

const gre: Tunnel = { type: 'gre', port: 0, checksum: 'full' };
/** `added`: to IP's header, by the tunnel. */
const ways: readonly { how: string; method: Method; tunnel?: Tunnel; port: number; added: number; around: number }[] = [
  { how: 'masq', method: 'masq', port: 80, added: 0, around: 0 },
  { how: 'gate', method: 'gate', port: 81, added: 0, around: 0 },
  { how: 'tunnel', method: 'tunnel', port: 82, added: 0, around: 1 },
  { how: 'gre with checksum', method: 'tunnel', tunnel: gre, port: 83, added: 8, around: 1 },
  { how: 'fullnat', method: 'fullnat', port: 84, added: 0, around: 0 },
];

let stage: stages.Stage;

beforeAll(() => {
  stage = openStage();
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(names)('%s', (family) => {
  const ends = families[family];

  describe.each(ways)('by $how', ({ method, tunnel, port, added, around }) => {
    /** 9 is behind a link of 1400 bytes. */
    const install = (mssClamp: Service['mssClamp'], number: number, others = {}): void => {
      const rip = parseAddress(ends.rip(number));
      const destinations = [stages.destination(number, method, { rip, port, ...(tunnel && { tunnel }) })];
      const localAddresses = method === 'fullnat' ? [ends.local] : [];
      const clamp = mssClamp === undefined ? {} : { mssClamp };
      stage.install(stages.service({ vip: ends.vip, port, destinations, localAddresses, ...clamp, ...others }));
      stage.walk(request({ flags: ack }));
    };
    const request = (change: object): Buffer =>
      build({ source: ends.client, destination: ends.vip, sourcePort: 4001, destinationPort: port, ...change });
    const sent = (frame: Buffer): Buffer => {
      const { verdict, packet } = stage.walk(frame);
      expect(verdict).toBe('redirect');
      expect(checksumErrors(packet)).toEqual([]);
      return packet;
    };
    const fits = (mtu: number): number => mtu - around * ends.header - added - ends.header - 20;

    test.each([1, 9])('a SYN tells no more than fits the way to real server %d', (number) => {
      install('path', number);
      const most = fits(number === 9 ? 1400 : 1500);
      for (const told of [65495, most + 1, most, 536]) {
        const packet = sent(request({ flags: syn, tcpOptions: mss(told) }));
        expect(toldBy(packet)).toBe(Math.min(told, most));
      }
      expect(toldBy(sent(request({ flags: syn, tcpOptions: mss(9000), sourcePort: 4002 })))).toBe(most);
    });

    test('or than was asked for, wherever the option is', () => {
      install(1200, 1);
      const timestamps = Buffer.from([8, 10, 0, 0, 0, 1, 0, 0, 0, 0]);
      for (const tcpOptions of [
        Buffer.concat([Buffer.from([1, 1]), timestamps, mss(1460)]),
        Buffer.concat([Buffer.from([1]), mss(1460), Buffer.from([3, 3, 7])]),
        Buffer.concat([Buffer.from([4, 2]), mss(1460), Buffer.from([1, 1])]),
      ])
        expect(toldBy(sent(request({ flags: syn, tcpOptions })))).toBe(1200);
    });

    test('a SYN without the option, or with damaged ones, goes as it is', () => {
      install(1200, 1);
      for (const tcpOptions of [
        Buffer.alloc(0),
        Buffer.from([0, 2, 4, 5, 0xb4, 0, 0, 0]),
        Buffer.from([2, 3, 5, 0xb4]),
        Buffer.from([1, 1, 2, 4]),
        Buffer.from([8, 0, 2, 4, 5, 0xb4, 0, 0]),
        Buffer.from([8, 200, 2, 4, 5, 0xb4, 0, 0]),
      ])
        expect(optionsOf(sent(request({ flags: syn, tcpOptions })))).toEqual(tcpOptions);
      expect(stage.news()).not.toHaveProperty('adjust-failed');
    });

    test('packets amid the connection go as they are', () => {
      install(1200, 1);
      sent(request({ flags: syn, tcpOptions: mss(1460) }));
      expect(toldBy(sent(request({ flags: ack, tcpOptions: mss(1460) })))).toBe(1460);
    });

    test('without the option of a service nothing changes', () => {
      install('path', 1);
      install(undefined, 1);
      expect(toldBy(sent(request({ flags: syn, tcpOptions: mss(9000) })))).toBe(9000);
    });

    test('a service that is edited clamps from then on', () => {
      install(undefined, 1);
      install(1000, 1);
      expect(toldBy(sent(request({ flags: syn, tcpOptions: mss(1460) })))).toBe(1000);
      expect(stage.services()).toMatchObject([{ mssClamp: 1000 }]);
    });

    if (method === 'masq' || method === 'fullnat')
      test.each([1, 9])('what real server %d tells is clamped too, to the narrower of both ways', (number) => {
        install('path', number);
        const {
          source,
          sourcePort = 0,
          destination,
          destinationPort = 0,
        } = parse(sent(request({ flags: syn, tcpOptions: mss(1460) }))).ip;
        const back = {
          source: destination,
          sourcePort: destinationPort,
          destination: source,
          destinationPort: sourcePort,
        };
        const reply = build({ ...back, flags: syn | ack, tcpOptions: mss(9000) });
        stage.walk(reply);
        expect(toldBy(sent(reply))).toBe(fits(number === 9 ? 1400 : 1500));
      });
  });

  test('one whose sums a device makes up stays right', () => {
    const destinations = [stages.destination(1, 'tunnel', { rip: parseAddress(ends.rip(1)), port: 90 })];
    stage.install(stages.service({ vip: ends.vip, port: 90, destinations, mssClamp: 1000 }));
    for (const tcpOptions of [mss(1460), Buffer.concat([Buffer.from([1]), mss(1460), Buffer.from([1, 1, 1])])]) {
      const frame = build({
        source: ends.client,
        destination: ends.vip,
        sourcePort: 4001,
        destinationPort: 90,
        flags: syn,
        tcpOptions,
      });
      const complete = 4; // BPF_F_TEST_SKB_CHECKSUM_COMPLETE: the kernel compares them after the run
      expect(stage.tc(frame, { flags: complete }).verdict).toBe('redirect');
    }
  });
});

test('one of impossible size is refused', () => {
  expect(() => stage.install(stages.service({ mssClamp: 87 }))).toThrow('MSS');
  expect(() => stage.install(stages.service({ mssClamp: 65496 }))).toThrow('MSS');
});

function mss(bytes: number): Buffer {
  return Buffer.from([2, 4, bytes >> 8, bytes & 0xff]);
}

/** Of the innermost packet, without what fullnat puts in front of them: who the client is. */
function optionsOf(frame: Buffer): Buffer {
  let at = 14;
  for (;;) {
    const isFour = frame.readUInt8(at) >> 4 === 4;
    const number = frame.readUInt8(at + (isFour ? 9 : 6));
    at += isFour ? 20 : 40;
    if (number === 47) at += 8;
    if (number === 6) break;
  }
  const options = frame.subarray(at + 20, at + (frame.readUInt8(at + 12) >> 4) * 4);
  return options[0] === 254 ? options.subarray(options[1]) : options;
}

function toldBy(frame: Buffer): number | undefined {
  const options = optionsOf(frame);
  for (let at = 0; at < options.length; ) {
    const kind = options.readUInt8(at);
    if (kind === 2) return options.readUInt16BE(at + 2);
    at += kind === 1 ? 1 : options.readUInt8(at + 1);
  }
  return undefined;
}
