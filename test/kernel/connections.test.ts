// Entries as the packet path writes them, read back as connections.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readJiffies } from '../../src/dataplane/connections.ts';
import { controlOf } from '../../src/dataplane/control.ts';
import { detach, openDirector } from '../../src/dataplane/director.ts';
import { openInstance } from '../../src/dataplane/instance.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import { findPlace } from '../../src/dataplane/place.ts';
import { formatEndpoint, parseAddress } from '../../src/model/address.ts';
import type { Connection, ConnectionPage, Endpoint } from '../../src/model/director.ts';
import type { Method } from '../../src/model/service.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

let namespace: TestNamespace;

beforeEach(() => {
  process.env.FAIRLEAD_CONNECTIONS = '4096';
  namespace = testNamespace();
  namespace.run(() => {
    using director = openDirector({ create: true });
    director?.change(() => ({
      services: [
        {
          identity: { kind: 'address', protocol: 'tcp', vip: parseAddress('10.0.0.100'), port: 80 },
          scheduler: 'rr',
          localAddresses: [],
          destinations: [{ rip: parseAddress('10.1.0.7'), port: 8080, method: 'gate', weight: 1 }],
        },
      ],
    }));
  });
});

afterEach(() => {
  try {
    namespace.run(detach);
  } finally {
    namespace[Symbol.dispose]();
  }
});

test('page by page they are the same', () => {
  // The first and last of pages of the map as well.
  const slots = [0, 1, 63, 64, 1000, 4000];
  for (const slot of slots) enter(slot, {});
  namespace.run(() => {
    using director = openDirector({ create: false });
    const read: Connection[] = [];
    const lengths: number[] = [];
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page: ConnectionPage | undefined = director?.connectionPage(from, 4);
      read.push(...(page?.connections ?? []));
      lengths.push(page?.connections.length ?? 0);
      from = page?.next;
    }
    expect(lengths).toEqual([4, 2]);
    expect(read).toEqual([...(director?.connections() ?? [])]);
  });
});

test.each<[Method, string, string, string | undefined]>([
  ['gate', 'ESTABLISHED', '10.1.0.7:8081', undefined],
  ['tunnel', 'FIN_WAIT', '10.1.0.7:8081', undefined],
  ['masq', 'SYN_RECV', '10.1.0.9:8081', undefined],
  ['fullnat', 'TIME_WAIT', '10.1.0.9:8081', '10.1.0.254:5000'],
])('a connection by %s has its addresses, state and destination', (method, state, destination, local) => {
  enter(12_345 - 64, { method, state });
  expect(listed()).toEqual([
    expect.objectContaining({
      protocol: 'tcp',
      state,
      method,
      client: '10.0.0.1:4000',
      virtual: '10.0.0.100:80',
      destination,
      local,
    }),
  ]);
});

test('entries of other kinds, and pages without a bit, are passed over', () => {
  enter(70, { kind: 'FLOW_REPLY' });
  enter(71, { kind: 'FLOW_DEAD' });
  enter(72, {});
  enter(4000, {});
  withMaps((maps) => {
    new Uint8Array(maps.map('flow_pages').mmap()).fill(0);
    maps.words('flow_pages').set(0, 1n << 1n);
  });
  expect(listed()).toHaveLength(1);
});

test('every page of the table is looked at, the last one too', () => {
  const slots = [0, 63, 64, 4095, 4096, 12_287];
  for (const slot of slots) enter(slot, {});
  expect(listed()).toHaveLength(slots.length);
});

test('time to expiry counts from the later of the two directions', () => {
  enter(5, { method: 'masq', state: 'ESTABLISHED', seenAgoS: 100, partner: 900 });
  enter(900, { kind: 'FLOW_REPLY', seenAgoS: 40 });
  enter(6, { method: 'gate', state: 'ESTABLISHED', seenAgoS: 100 });
  enter(7, { method: 'gate', state: 'CLOSE', seenAgoS: 4 });
  const left = listed().map(({ expiresInS }) => expiresInS);
  expect(left[0]).toBeWithin(850, 860);
  expect(left[1]).toBeWithin(790, 800);
  expect(left[2]).toBeWithin(3, 6);
});

expect.extend({
  toBeWithin: (value: number, least: number, most: number) => ({
    pass: value >= least && value <= most,
    message: () => `expected ${value} to be from ${least} to ${most}`,
  }),
});

declare module 'vitest' {
  interface Matchers<T> {
    toBeWithin(least: number, most: number): T;
  }
}

interface Entry {
  readonly kind?: string;
  readonly method?: Method;
  readonly state?: string;
  readonly seenAgoS?: number;
  readonly partner?: number;
}

/** Writes an entry and its page's bit: from 10.0.0.1:4000 to 10.0.0.100:80, translated to 10.1.0.254:5000 and 10.1.0.9:8081. */
function enter(
  slot: number,
  { kind = 'FLOW_LIVE', method = 'gate', state = 'ESTABLISHED', seenAgoS = 0, partner }: Entry,
): void {
  withMaps((maps) => {
    const { flowKinds, methods, states, numbers } = maps.vocabulary;
    const hz = maps.rows('settings').number('hz').get(0);
    maps.rows('flows').patch(slot, {
      addresses: words('10.0.0.1', '10.0.0.100'),
      ports: ports(4000, 80) | (6n << 32n),
      control: controlOf(numbers).encode({
        kind: flowKinds.get(kind) ?? 0,
        offset: 0,
        state: states.number(state as Connection['state']),
        method: methods.number(method),
        isInactive: false,
        isSix: false,
        isExtended: false,
        generation: slot & 0x7ff,
      }),
      seen: (readJiffies(maps) - seenAgoS * hz) >>> 0,
      destination: 0,
      partner: partner ?? numbers.NO_PARTNER,
      new_addresses: words('10.1.0.254', '10.1.0.9'),
      new_ports: Number(ports(5000, 8081)),
    });
    const pages = maps.words('flow_pages');
    const page = Math.floor(slot / numbers.SLOTS_PER_PAGE);
    const at = Math.floor(page / numbers.PAGES_PER_WORD);
    pages.set(at, pages.get(at) | (1n << BigInt(page % numbers.PAGES_PER_WORD)));
  });
}

function listed(): (Omit<Connection, 'client' | 'virtual' | 'destination' | 'local'> &
  Record<'client' | 'virtual' | 'destination' | 'local', string | undefined>)[] {
  const text = (endpoint: Endpoint | undefined): string | undefined =>
    endpoint && formatEndpoint(endpoint.address, endpoint.port);
  return namespace.run(() => {
    using director = openDirector({ create: false });
    return [...(director?.connections() ?? [])].map(({ client, virtual, destination, local, ...rest }) => ({
      ...rest,
      client: text(client),
      virtual: text(virtual),
      destination: text(destination),
      local: text(local),
    }));
  });
}

function words(source: string, target: string): bigint {
  const word = (address: string): bigint => BigInt(Buffer.from(parseAddress(address).bytes).readUInt32LE());
  return word(source) | (word(target) << 32n);
}

function ports(source: number, target: number): bigint {
  const swapped = (port: number): bigint => BigInt(((port & 0xff) << 8) | (port >> 8));
  return swapped(source) | (swapped(target) << 16n);
}

function withMaps(work: (maps: Maps) => void): void {
  namespace.run(() => {
    const place = findPlace(false);
    using maps = place && openInstance(place);
    if (maps === undefined) throw new Error('there is no instance');
    work(maps);
  });
}
