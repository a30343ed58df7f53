// fullnat by UDP with --uoa: until the real server answers, datagrams tell it the client as DPVS spells it, and no others do.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/model/address.ts';
import type { UoaMode } from '../../src/model/service.ts';
import { build, checksumErrors, type Description, type IpPacket, parse } from '../packets.ts';
import { client, destination, openStage, rip, type Stage, service, six, vip } from './stage.ts';

const payload = Buffer.from('a question');
const ports = { ipo: 53, opp: 54, none: 55 } as const;
const noOperation = Buffer.from([1, 1, 1, 1]);
const headerProtocol = 248;

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  const four = [{ ...destination(1, 'fullnat'), port: 5353 }];
  const others = [{ ...destination(1, 'fullnat'), rip: parseAddress(six.rip(1)), port: 5353 }];
  const udp = { protocol: 'udp' } as const;
  stage.install(
    service({ ...udp, port: ports.ipo, uoa: 'ipo', destinations: four }),
    service({ ...udp, port: ports.opp, uoa: 'opp', destinations: four }),
    service({ ...udp, port: ports.none, destinations: four }),
    service({ ...udp, vip: six.vip, port: ports.opp, uoa: 'opp', destinations: others }),
  );
  // The ways are looked up once, and known from then on.
  for (const family of [4, 6] as const) stage.walk(packet(family, 'opp'));
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each([
  [4, 'ipo'],
  [4, 'opp'],
  [6, 'opp'],
] as const)('by IPv%i, %s', (family, uoa) => {
  describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
    test('datagrams tell who sent them until the real server answers', () => {
      for (const sent of [packet(family, uoa), packet(family, uoa), packet(family, uoa)]) {
        const got = forwarded(hook, sent);
        expect(got.told).toEqual(toldOf(family, uoa));
        expect(got.ip).toMatchObject({ destinationPort: 5353, ttl: 63, payload });
        expect(got.ip.totalLength).toBe(parse(sent).ip.totalLength + toldOf(family, uoa).length);
      }
      answer(hook, family, uoa);
      const after = forwarded(hook, packet(family, uoa));
      expect(after.told).toEqual(Buffer.alloc(0));
      expect(after.ip).toMatchObject({ destinationPort: 5353, payload });
      expect(stage.connections()).toMatchObject([{ state: 'UDP' }]);
    });

    test('where it would not fit into the way it is left out, and that is counted', () => {
      const room = (family === 4 ? 1500 - 28 : 1500 - 48) - toldOf(family, uoa).length;
      expect(forwarded(hook, packet(family, uoa, { payload: Buffer.alloc(room), dontFragment: true })).told).toEqual(
        toldOf(family, uoa),
      );
      expect(stage.news()).toEqual({});
      const got = forwarded(hook, packet(family, uoa, { payload: Buffer.alloc(room + 1), dontFragment: true }));
      expect(got.told).toEqual(Buffer.alloc(0));
      expect(stage.news()).toEqual({ 'client-untold': 1 });
      expect(forwarded(hook, packet(family, uoa)).told).toEqual(toldOf(family, uoa));
    });

    test('padding behind a packet stays behind it', () => {
      const got = forwarded(hook, packet(family, uoa, { padding: 12 }));
      expect(got.told).toEqual(toldOf(family, uoa));
      expect(got.ip.payload).toEqual(payload);
    });
  });
});

describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
  test.each(['ipo', 'opp'] as const)('a datagram without a checksum gets none: %s', (uoa) => {
    const got = forwarded(hook, packet(4, uoa, { withoutChecksum: true }));
    expect(got.told).toEqual(toldOf(4, uoa));
    expect(got.ip.payload).toEqual(payload);
  });

  test('an option of IPv4 stands in front of those of the client', () => {
    const got = forwarded(hook, packet(4, 'ipo', { options: noOperation }));
    expect(got.told).toEqual(Buffer.concat([toldOf(4, 'ipo'), noOperation]));
  });

  test('the header is not put into what routers may cut', () => {
    const told = (size: number): Buffer =>
      forwarded(hook, packet(4, 'opp', { payload: Buffer.alloc(size - 28 - 12) })).told;
    expect(told(1280)).toEqual(toldOf(4, 'opp'));
    expect(told(1281)).toEqual(Buffer.alloc(0));
    expect(stage.news()).toEqual({ 'client-untold': 1 });
  });

  test('without room among them it is left out, and so is the header behind them', () => {
    const full = Buffer.alloc(36, 1);
    expect(forwarded(hook, packet(4, 'ipo', { options: full })).told).toEqual(full);
    expect(forwarded(hook, packet(4, 'opp', { options: noOperation })).told).toEqual(noOperation);
    expect(stage.news()).toEqual({ 'client-untold': 2 });
  });

  test.each(['ipo', 'opp', 'none'] as const)('nobody says it for the director: uoa %s', (uoa) => {
    const lie = Buffer.concat([noOperation, toldOf(4, 'ipo', '192.0.2.99')]);
    const { verdict } = stage[hook](packet(4, uoa, { options: lie }));
    expect(verdict).toBe('drop');
    expect(stage.news()).toEqual({ 'forged-client': 1 });
  });

  test('services without it tell nothing', () => {
    expect(forwarded(hook, packet(4, 'none')).told).toEqual(Buffer.alloc(0));
  });
});

function packet(family: 4 | 6, uoa: keyof typeof ports, change: Partial<Description> = {}): Buffer {
  const place = family === 4 ? { source: client, destination: vip } : { source: six.client, destination: six.vip };
  return build({ ...place, sourcePort: 40_000, destinationPort: ports[uoa], payload, ...change });
}

/** What the real server sends back. */
function answer(hook: 'xdp' | 'tc', family: 4 | 6, uoa: UoaMode): void {
  const [connection] = stage.connections();
  const local = connection?.local;
  if (local === undefined) throw new Error(`no connection by ${uoa}`);
  const reply = build({
    source: family === 4 ? rip(1) : six.rip(1),
    destination: formatAddress(local.address),
    sourcePort: 5353,
    destinationPort: local.port,
    payload,
  });
  stage.walk(reply);
  expect(stage[hook](reply).verdict).toBe('redirect');
}

interface Forwarded {
  readonly ip: IpPacket;
  /** What stands between the fixed part of IP's header and UDP's. */
  readonly told: Buffer;
}

/** Of what a header of DPVS's own is in, it is taken out before the rest is read. */
function forwarded(hook: 'xdp' | 'tc', frame: Buffer): Forwarded {
  const { verdict, packet: got } = stage[hook](frame);
  expect(verdict).toBe('redirect');
  const family = got.readUInt16BE(12) === 0x0800 ? 4 : 6;
  const l3 = 14;
  const fixed = l3 + (family === 4 ? 20 : 40);
  const protocolAt = family === 4 ? l3 + 9 : l3 + 6;
  if (got.readUInt8(protocolAt) !== headerProtocol) {
    expect(checksumErrors(got)).toEqual([]);
    const end = family === 4 ? l3 + (got.readUInt8(l3) & 0xf) * 4 : fixed;
    return { ip: parse(got).ip, told: got.subarray(fixed, end) };
  }
  const length = got.readUInt16BE(fixed + 2);
  const without = Buffer.concat([got.subarray(0, fixed), got.subarray(fixed + length)]);
  const ip = parse(got).ip;
  expect(headerSum(got, family)).toBe(0);
  without.writeUInt8(17, protocolAt);
  if (family === 4) {
    without.writeUInt16BE(got.readUInt16BE(l3 + 2) - length, l3 + 2);
    without.writeUInt16BE(0, l3 + 10);
    without.writeUInt16BE(headerSum(without, 4), l3 + 10);
  } else {
    without.writeUInt16BE(got.readUInt16BE(l3 + 4) - length, l3 + 4);
  }
  expect(checksumErrors(without)).toEqual([]);
  return { ip: { ...parse(without).ip, totalLength: ip.totalLength }, told: got.subarray(fixed, fixed + length) };
}

/** The checksum that IPv4's fixed header would have; 0 if it is right. IPv6 has none. */
function headerSum(frame: Buffer, family: 4 | 6): number {
  if (family === 6) return 0;
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += frame.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** As DPVS spells it. */
function toldOf(family: 4 | 6, uoa: UoaMode, address = family === 4 ? client : six.client): Buffer {
  const { bytes } = parseAddress(address);
  const option = Buffer.from([31, 4 + bytes.length, 0, 0, ...bytes]);
  option.writeUInt16BE(40_000, 2);
  if (uoa === 'ipo') return option;
  return Buffer.concat([Buffer.from([family === 4 ? 0x10 : 0x20, 17, 0, 4 + option.length]), option]);
}
