// Which addresses fragments may be of: after any change those that services need then, also where several need the same.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { detach, openDirector } from '../../src/dataplane/director.ts';
import { openInstance } from '../../src/dataplane/instance.ts';
import { findPlace } from '../../src/dataplane/place.ts';
import { formatAddress, parseAddress } from '../../src/model/address.ts';
import { methods, type Service } from '../../src/model/service.ts';
import { randomFrom } from '../random.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

const target = 1;
const source = 2;
const changes = 60;
let namespace: TestNamespace;

beforeEach(() => {
  process.env.FAIRLEAD_CONNECTIONS = '4096';
  namespace = testNamespace();
});

afterEach(() => {
  try {
    namespace.run(detach);
  } finally {
    namespace[Symbol.dispose]();
  }
});

test('they follow services that come, change and go', () => {
  const seed = Date.now();
  const random = randomFrom(seed);
  /** Few addresses, so that VIPs, local addresses and real servers are often the same. */
  const address = (): string => `10.0.${random.below(2)}.${1 + random.below(6)}`;
  const someService = (port: number): Service => ({
    identity: { kind: 'address', protocol: 'tcp', vip: parseAddress(address()), port },
    scheduler: 'rr',
    localAddresses: [...new Set(Array.from({ length: random.below(3) }, address))].map(parseAddress),
    destinations: [...new Set(Array.from({ length: random.below(4) }, address))].map((rip) => ({
      ...{ rip: parseAddress(rip), port: 80, weight: 1, method: random.pick(methods) },
    })),
  });
  namespace.run(() => {
    using director = openDirector({ create: true });
    let services: readonly Service[] = [someService(1)];
    for (let turn = 0; turn < changes; turn++) {
      director?.change(() => ({ services }));
      expect(readEnds(), `seed ${seed}, change ${turn}`).toEqual(endsOf(services));
      const kept = services.filter(() => random.below(4) > 0);
      services = [...kept, ...Array.from({ length: random.below(3) }, (_, more) => someService(10 * turn + more + 2))];
    }
  });
});

function readEnds(): ReadonlyMap<string, number> {
  const place = findPlace(false);
  using maps = place && openInstance(place);
  const entries = [...(maps?.map('ends').entries() ?? [])];
  return new Map(
    entries.map(([key, value]) => [
      formatAddress({ family: 4, bytes: [...key.subarray(0, 4)] }),
      value.readUInt32LE(0),
    ]),
  );
}

function endsOf(services: readonly Service[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const add = (text: string, bit: number): void => void found.set(text, (found.get(text) ?? 0) | bit);
  for (const { identity, localAddresses, destinations } of services) {
    if (identity.kind === 'address') add(formatAddress(identity.vip), target);
    for (const one of localAddresses) add(formatAddress(one), target);
    for (const { rip, method } of destinations)
      if (method === 'masq' || method === 'fullnat') add(formatAddress(rip), source);
  }
  return found;
}
