// A plan carried out on simulated maps gives the wanted table, and never touches what the table in force refers to.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '../model/address.ts';
import { type Destination, emptyTable, type Scheduler, type Service, type Table } from '../model/service.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { type LiveDestination, type LiveTable, type ServiceRecord, toTable } from './live.ts';
import { isEmptyPlan, type Plan, type PlannedService, planChange, type Room } from './plan.ts';
import { regionAllocator } from './regions.ts';
import { serviceOf } from './service-flags.ts';
import { slotPool } from './slots.ts';

const numbers = {
  ...{ SERVICE_PERSISTENT: 1, SERVICE_ONE_PACKET: 2, SERVICE_THRESHOLDS: 4, SERVICE_FLAG_1: 8, SERVICE_CALL_ID: 64 },
  ...{ SERVICE_RESCHEDULES: 128, SERVICE_RESETS: 256 },
  ...{ SERVICE_MSS_SHIFT: 16, MSS_OF_PATH: 1 },
  ...{ SERVICE_UOA_SHIFT: 9, SERVICE_UOA_MASK: 3, UOA_NONE: 0, UOA_OPTION: 1, UOA_HEADER: 2 },
  ...{ BUCKETS: 16, MH_BUCKETS: 13 },
};

const address = (last: number): Address => ({ family: 4, bytes: [10, 0, 0, last] });

const destination = fc.record(
  {
    rip: fc.integer({ min: 1, max: 6 }).map(address),
    port: fc.constantFrom(80, 8080),
    method: fc.constantFrom('masq', 'gate', 'tunnel', 'fullnat') satisfies fc.Arbitrary<Destination['method']>,
    weight: fc.integer({ min: 0, max: 5 }),
    upperThreshold: fc.integer({ min: 1, max: 3 }),
    lowerThreshold: fc.constant(1),
  },
  { requiredKeys: ['rip', 'port', 'method', 'weight'] },
);
const service = fc.record(
  {
    identity: fc.record({
      kind: fc.constant('address' as const),
      protocol: fc.constantFrom('tcp', 'udp'),
      vip: fc.integer({ min: 100, max: 104 }).map(address),
      port: fc.constant(80),
    }),
    scheduler: fc.constantFrom<Scheduler>('rr', 'wrr', 'wlc', 'sh', 'dh', 'mh'),
    onePacket: fc.constant(true as const),
    schedulerFlags: fc.constant(['flag-3']),
    persistence: fc.record({ timeoutS: fc.integer({ min: 1, max: 3 }), mask: fc.constant(address(0)) }),
    localAddresses: fc.uniqueArray(fc.integer({ min: 1, max: 3 }).map(address), {
      selector: ({ bytes }) => bytes[3],
      maxLength: 2,
    }),
    destinations: fc.uniqueArray(destination, { selector: destinationKey, maxLength: 6 }),
  },
  { requiredKeys: ['identity', 'scheduler', 'localAddresses', 'destinations'] },
);
const table = fc
  .uniqueArray(service, { selector: ({ identity }) => serviceKey(identity), maxLength: 6 })
  .map((services) => ({ services }));

/** The maps, as plain arrays. */
class Simulation {
  readonly members: (LiveDestination | undefined)[] = [];
  readonly buckets: (number | undefined)[] = [];
  readonly localAddresses: (Address | undefined)[] = [];
  readonly cursors = new Map<number, bigint>();
  readonly slots: { owner: string; isDeleted: boolean; deletedAtS: number }[] = [];
  records = new Map<string, { identity: Service['identity']; record: ServiceRecord }>();
  nextServiceId = 0;

  read(): LiveTable {
    const services = [...this.records.values()].map(({ identity, record }) => ({
      identity,
      scheduler: record.scheduler,
      ...serviceOf(record.scheduler, record.settings, numbers),
      record,
      destinations: defined(this.members.slice(record.members.start, record.members.start + record.memberCount)),
      localAddresses: defined(
        this.localAddresses.slice(
          record.localAddresses.start,
          record.localAddresses.start + record.localAddresses.length,
        ),
      ),
    }));
    return { services: services.sort((a, b) => a.record.order - b.record.order) };
  }

  room(nowS: number): Room {
    const records = [...this.records.values()].map(({ record }) => record);
    return {
      members: regionAllocator(
        'members',
        200,
        records.map(({ members }) => members),
      ),
      buckets: regionAllocator(
        'buckets',
        16 * 32,
        records.map(({ buckets }) => buckets),
      ),
      localAddresses: regionAllocator(
        'local addresses',
        100,
        records.map(({ localAddresses }) => localAddresses),
      ),
      slots: slotPool(
        {
          capacity: 100,
          everUsed: this.slots.length,
          isDeleted: (slot) => this.#slot(slot).isDeleted,
          isBusy: () => false,
          deletedAtS: (slot) => this.#slot(slot).deletedAtS,
          owner: (slot) => this.#slot(slot).owner,
        },
        nowS,
      ),
      ownersOf: (identity) => (its) => ownerOf(identity, its),
      numbers,
      serviceIds: 20,
      nextServiceId: this.nextServiceId,
      cursorOf: (id) => this.cursors.get(id) ?? 0n,
    };
  }

  apply(plan: Plan, nowS: number): void {
    for (const written of plan.written) this.#write(written);
    const gone = [
      ...plan.removed.flatMap(({ destinations }) => destinations),
      ...plan.written.flatMap(({ abandoned }) => abandoned),
    ];
    for (const { slot } of gone) this.slots[slot] = { ...this.#slot(slot), isDeleted: true, deletedAtS: nowS };
    for (const { identity } of plan.removed) this.records.delete(serviceKey(identity));
    for (const { identity, record } of plan.written) this.records.set(serviceKey(identity), { identity, record });
    this.nextServiceId = plan.nextServiceId;
  }

  #write(written: PlannedService): void {
    const { record, destinations, localAddresses, buckets } = written;
    destinations.forEach((one, index) => {
      const { origin, ...member } = one;
      this.members[record.members.start + index] = member;
      const owner = ownerOf(written.identity, one);
      const known = this.slots[one.slot];
      if (origin === 'new') expect(known?.isDeleted ?? true).toBe(true);
      else expect(known?.owner).toBe(owner);
      this.slots[one.slot] = { owner, isDeleted: false, deletedAtS: 0 };
    });
    for (const [index, position] of buckets.entries()) this.buckets[record.buckets.start + index] = position;
    for (const [index, local] of localAddresses.entries())
      this.localAddresses[record.localAddresses.start + index] = local;
    this.cursors.set(record.id, written.cursor);
  }

  #slot(slot: number): (typeof this.slots)[number] {
    const known = this.slots[slot];
    if (known === undefined) throw new Error(`slot ${slot} was never used`);
    return known;
  }
}

function defined<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined);
}

describe('a plan', () => {
  it('leads from any table to any other, again and again', () => {
    fc.assert(
      fc.property(fc.array(table, { maxLength: 6 }), (tables) => {
        const maps = new Simulation();
        tables.forEach((wanted, nowS) => {
          const before = maps.read();
          maps.apply(planChange(before, wanted, maps.room(nowS)), nowS);
          expect(toTable(maps.read())).toEqual(wanted);
          expectSound(maps.read());
        });
      }),
    );
  });

  it('leaves the regions of the table in force alone until the swap', () => {
    fc.assert(
      fc.property(table, table, (first, second) => {
        const maps = new Simulation();
        maps.apply(planChange({ services: [] }, first, maps.room(0)), 0);
        const before = maps.read();
        const plan = planChange(before, second, maps.room(1));
        const records = maps.records;
        maps.records = new Map(records);
        maps.apply(plan, 1);
        maps.records = records;
        expect(maps.read()).toEqual(before);
      }),
    );
  });

  it('is empty when nothing is wanted that is not there', () => {
    fc.assert(
      fc.property(table, (wanted) => {
        const maps = new Simulation();
        maps.apply(planChange({ services: [] }, wanted, maps.room(0)), 0);
        expect(isEmptyPlan(planChange(maps.read(), wanted, maps.room(1)))).toBe(true);
      }),
    );
  });

  it('gives every destination that comes back within the trash period its slot', () => {
    fc.assert(
      fc.property(table, (wanted) => {
        const maps = new Simulation();
        maps.apply(planChange({ services: [] }, wanted, maps.room(0)), 0);
        const slots = slotsOf(maps.read());
        maps.apply(planChange(maps.read(), emptyTable, maps.room(1)), 1);
        maps.apply(planChange(maps.read(), wanted, maps.room(2)), 2);
        expect(slotsOf(maps.read())).toEqual(slots);
      }),
    );
  });

  it('keeps id and rank of a service that stays, and gives new ones others', () => {
    fc.assert(
      fc.property(table, table, (first, second) => {
        const maps = new Simulation();
        maps.apply(planChange({ services: [] }, first, maps.room(0)), 0);
        const ids = new Map(maps.read().services.map(({ identity, record }) => [serviceKey(identity), record.id]));
        maps.apply(planChange(maps.read(), second, maps.room(1)), 1);
        for (const { identity, record } of maps.read().services) {
          const id = ids.get(serviceKey(identity));
          if (id === undefined) expect([...ids.values()]).not.toContain(record.id);
          else expect(record.id).toBe(id);
        }
      }),
    );
  });

  it.each<[string, (table: Table) => Table, string]>([
    [
      'services',
      (some) => ({
        services: Array.from({ length: 21 }, (_, index) => ({
          ...first(some),
          destinations: [],
          identity: { kind: 'address', protocol: 'tcp', vip: address(index), port: 1 },
        })),
      }),
      'no room for more services: the table has 20',
    ],
    [
      'destinations',
      (some) => ({ services: [{ ...first(some), destinations: many(101) }] }),
      'no room for more destinations: the table has 100',
    ],
    ['members', (some) => ({ services: [{ ...first(some), destinations: many(201) }] }), 'no room for'],
  ])('that needs more room for %s than there is is refused', (_, grow, message) => {
    const maps = new Simulation();
    const one: Table = {
      services: [
        {
          identity: { kind: 'address', protocol: 'tcp', vip: address(100), port: 80 },
          scheduler: 'wlc',
          localAddresses: [],
          destinations: [],
        },
      ],
    };
    expect(() => planChange({ services: [] }, grow(one), maps.room(0))).toThrow(message);
  });

  it.each([
    ['service', 21, 1, 'tcp 10.0.0.20:80'],
    ['destination', 1, 101, 'tcp 10.0.0.0:80 10.0.0.100:80'],
  ])('tells which %s there was no room for', (_, services, destinations, subject) => {
    const list = <T>(length: number, make: (index: number) => T): T[] =>
      Array.from({ length }, (__, index) => make(index));
    const wanted: Table = {
      services: list(services, (index) => ({
        identity: { kind: 'address', protocol: 'tcp', vip: address(index), port: 80 },
        scheduler: 'rr',
        localAddresses: [],
        destinations: list(destinations, (rip) => ({ rip: address(rip), port: 80, method: 'masq', weight: 1 })),
      })),
    };
    expect(() => planChange({ services: [] }, wanted, new Simulation().room(0))).toThrow(
      expect.objectContaining({ code: 'table-full', subject }),
    );
  });
});

function first({ services }: Table): Service {
  const [one] = services;
  if (one === undefined) throw new Error('no service');
  return one;
}

function many(count: number): Destination[] {
  return Array.from({ length: count }, (_, port) => ({ rip: address(1), port, method: 'masq', weight: 1 }));
}

function ownerOf(identity: Service['identity'], its: Destination): string {
  return `${serviceKey(identity)} > ${destinationKey(its)}`;
}

function slotsOf(live: LiveTable): ReadonlyMap<string, number> {
  return new Map(live.services.flatMap((one) => one.destinations.map((its) => [ownerOf(one.identity, its), its.slot])));
}

/** No two destinations share a slot, no two services an id or a rank. */
function expectSound({ services }: LiveTable): void {
  const slots = services.flatMap(({ destinations }) => destinations.map(({ slot }) => slot));
  expect(new Set(slots).size).toBe(slots.length);
  expect(new Set(services.map(({ record }) => record.id)).size).toBe(services.length);
  expect(new Set(services.map(({ record }) => record.order)).size).toBe(services.length);
}
