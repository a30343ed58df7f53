// Frames with VLAN tags, as the kernel hands them to TC: the tags come off, and what was inside is forwarded.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Method } from '../../src/model/service.ts';
import { build, checksumErrors, flag, parse, protocol } from '../packets.ts';
import { type Feeder, openFeeder } from './feeder.ts';
import { client, destination, openStage, received, rip, type Stage, service, vip } from './stage.ts';

const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const redirect = 7;

let stage: Stage;
let feeder: Feeder;

beforeAll(() => {
  stage = openStage();
  stage.install(
    ...methods.map((method, index) =>
      service({ port: 80 + index, destinations: [destination(1, method, { port: 80 + index })] }),
    ),
  );
  feeder = openFeeder(stage);
});

beforeEach(() => stage.settle());

afterAll(() => {
  feeder?.[Symbol.dispose]();
  stage?.[Symbol.dispose]();
});

test.each(
  methods.flatMap((method, index) =>
    (['one_tag', 'two_tags'] as const).map((tags) => [method, tags, 80 + index] as const),
  ),
)('by %s with %s', (method, tags, port) => {
  const frame = build({ ...ends(port), flags: flag.syn, payload: Buffer.from('hello') });
  const { ip, ...outer } = through(tags, frame);
  expect(outer.tags).toEqual([]);
  expect(ip.inner ?? ip).toMatchObject({ ttl: 63, payload: Buffer.from('hello') });
  const [to, number] =
    method === 'gate' ? [vip, protocol.tcp] : [rip(1), method === 'tunnel' ? protocol.ipip : protocol.tcp];
  expect(ip).toMatchObject({ destination: to, protocol: number });
});

test.each(['one_tag', 'two_tags'] as const)(
  'an answer by ICMP to a packet with %s has none, and quotes the packet',
  (tags) => {
    const frame = build({ ...ends(80), flags: flag.syn, ttl: 1 });
    const { ip, ...outer } = through(tags, frame);
    expect(outer.tags).toEqual([]);
    expect(ip).toMatchObject({ source: vip, destination: client, icmp: { type: 11, code: 0 } });
    expect(ip.payload.equals(frame.subarray(14))).toBe(true);
  },
);

function ends(port: number): { source: string; destination: string; sourcePort: number; destinationPort: number } {
  return { source: client, destination: vip, sourcePort: 4001, destinationPort: port };
}

function through(tags: 'one_tag' | 'two_tags', frame: Buffer): ReturnType<typeof parse> {
  const { returnValue, packet } = stage.run(() =>
    feeder.program(tags).testRun({ packet: frame, repeat: 1, context: received() }),
  );
  expect(returnValue).toBe(redirect);
  expect(checksumErrors(packet)).toEqual([]);
  return parse(packet);
}
