// The real server's program at egress: what the answer to a SYN says about segments fits the tunnel, and its checksum is right.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BpfMap } from '../../src/kernel/map.ts';
import { BpfObject } from '../../src/kernel/object.ts';
import type { BpfProgram } from '../../src/kernel/program.ts';
import { parseAddress } from '../../src/model/address.ts';
import { build, checksumErrors, type Description, flag } from '../packets.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

const object = new URL('../../build/bpf/realserver.bpf.o', import.meta.url).pathname;
const four = { source: '203.0.113.100', destination: '198.51.100.10' };
const six = { source: '2001:db8:a::10', destination: '2001:db8:c::1' };
/** Of 1500 bytes less the tunnel's 20. */
const room = 1480;

let namespace: TestNamespace;
let program: BpfProgram;

beforeAll(() => {
  namespace = testNamespace();
  using loaded = BpfObject.open(object);
  loaded.load();
  program = loaded.program('realserver_out');
  using rooms = loaded.map('rooms');
  for (const { source } of [four, six]) setRoom(rooms, source);
});

afterAll(() => {
  program[Symbol.dispose]();
  namespace[Symbol.dispose]();
});

const mss = (value: number): number[] => [2, 4, value >> 8, value & 255];
const nop = 1;

test.each<[string, Partial<Description>, number | undefined]>([
  ['of IPv4', { ...four, tcpOptions: Buffer.from(mss(1460)) }, 1440],
  ['of IPv6', { ...six, tcpOptions: Buffer.from(mss(1440)) }, 1420],
  ['with the option at an odd place', { ...four, tcpOptions: Buffer.from([nop, ...mss(1460), nop, nop, nop]) }, 1440],
  [
    'with other options before it',
    { ...four, tcpOptions: Buffer.from([3, 3, 7, 4, 2, 8, 10, ...new Array<number>(8).fill(9), nop, ...mss(8960)]) },
    1440,
  ],
  ['that asks for less', { ...four, tcpOptions: Buffer.from(mss(536)) }, undefined],
  ['without the option', { ...four, tcpOptions: Buffer.from([nop, nop, nop, nop]) }, undefined],
  ['behind the end of the options', { ...four, tcpOptions: Buffer.from([0, 0, 0, 0, ...mss(1460)]) }, undefined],
  ['with a length that can not be', { ...four, tcpOptions: Buffer.from([3, 0, ...mss(1460), nop, nop]) }, undefined],
  ['without options', four, undefined],
  ['from another address', { ...four, source: '203.0.113.101', tcpOptions: Buffer.from(mss(1460)) }, undefined],
  ['that is no SYN', { ...four, flags: flag.ack, tcpOptions: Buffer.from(mss(1460)) }, undefined],
])('an answer %s', (_, description, bound) => {
  const frame = build({ ...four, sourcePort: 80, destinationPort: 40000, flags: flag.syn | flag.ack, ...description });
  const { packet } = namespace.run(() => program.testRun({ packet: frame }));
  expect(checksumErrors(packet)).toEqual([]);
  if (bound === undefined) expect(packet).toEqual(frame);
  else expect(packet.includes(Buffer.from(mss(bound)))).toBe(true);
});

function setRoom(rooms: BpfMap, address: string): void {
  const key = Buffer.alloc(16);
  key.set(parseAddress(address).bytes);
  rooms.update(key, Buffer.from(Uint32Array.of(room).buffer));
}
