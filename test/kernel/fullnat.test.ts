// fullnat's local addresses and ports: never one tuple for two connections, and a reason when there is none left.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { takeCensus } from '../invariants.ts';
import { build, flag } from '../packets.ts';
import { destination, dip, openStage, rip, type Stage, service, vip } from './stage.ts';

/** All but 4096 of the ports from 1024 on: fullnat has what is left. */
const hostPorts = [1024, 61_439] as const;
const locals = ['192.0.2.70', '192.0.2.71'];

let stage: Stage;

beforeAll(() => {
  stage = openStage({ connections: 16_384, hostPorts });
  for (const localAddresses of [[], locals]) {
    install(localAddresses, 1, 2);
    for (let index = 0; index < 4; index++) open(index);
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

test('until no port is left no two connections to a real server get the same', () => {
  install([], 1);
  let refused = 0;
  for (let index = 0; refused < 200; index++) if (!open(index)) refused++;
  const tuples = tuplesOf(stage);
  expect(new Set(tuples).size).toBe(tuples.length);
  // Some ports stay: each connection looks at 256 of them, at random, and no more.
  expect(tuples.length).toBeGreaterThan(4096 * 0.97);
  expect(tuples.length).toBeLessThanOrEqual(4096);
  const numbers = stage.connections().map(({ local }) => local?.port ?? 0);
  expect(numbers.every((port) => port > hostPorts[1])).toBe(true);
  expect(new Set(stage.connections().map(({ local }) => local?.address.bytes.join('.')))).toEqual(new Set([dip]));
  expect(stage.news()).toEqual({ 'no-local-port': 200 });
  expect(takeCensus(stage.maps)).toEqual({ connections: tuples.length, replies: tuples.length, violations: [] });
});

test('each real server and each local address has all the ports', () => {
  install(locals, 1, 2);
  for (let index = 0; index < 12_000; index++) open(index);
  const tuples = tuplesOf(stage);
  expect(stage.news()).toEqual({});
  expect(new Set(tuples).size).toBe(12_000);
  for (const number of [1, 2]) {
    for (const address of locals) {
      const share = tuples.filter(
        (tuple) => tuple.startsWith(`${address}:`) && tuple.endsWith(`${rip(number)}:80`),
      ).length;
      expect(share).toBeGreaterThan(2500);
    }
  }
  expect(takeCensus(stage.maps).violations).toEqual([]);
});

function install(localAddresses: readonly string[], ...numbers: readonly number[]): void {
  stage.install(service({ localAddresses, destinations: numbers.map((number) => destination(number, 'fullnat')) }));
}

/** False when it was refused. */
function open(index: number): boolean {
  const ends = { source: `203.0.113.${1 + (index % 200)}`, sourcePort: 1024 + Math.floor(index / 200) };
  return stage.walk(build({ ...ends, destination: vip, destinationPort: 80, flags: flag.syn })).verdict === 'redirect';
}

function tuplesOf({ connections }: Stage): readonly string[] {
  return connections().map(({ local, destination: to }) => {
    return `${local?.address.bytes.join('.')}:${local?.port} ${to.address.bytes.join('.')}:${to.port}`;
  });
}
