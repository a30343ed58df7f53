// The data plane in real namespaces: changes are whole whatever happens, counters go on, and nothing is left behind.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { attach, detach, openDirector } from '../../src/dataplane/director.ts';
import { openInstance } from '../../src/dataplane/instance.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import { findPlace, type Place } from '../../src/dataplane/place.ts';
import type { Step } from '../../src/dataplane/transaction.ts';
import { BpfMap } from '../../src/kernel/map.ts';
import { isNetnsAlive } from '../../src/kernel/namespace.ts';
import { parseAddress } from '../../src/model/address.ts';
import type { InstalledService } from '../../src/model/director.ts';
import { type Destination, emptyTable, type Service, type Table } from '../../src/model/service.ts';
import { type SyncDaemon, withoutDaemon } from '../../src/model/sync.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';
import { until } from './until.ts';

let namespace: TestNamespace;

/** For each test of a group. */
function ownNamespace(): void {
  beforeEach(open);
  afterEach(close);
}

/** For all tests of a group, each of which says first what table there is: programs are loaded once. */
function sharedNamespace(): void {
  beforeAll(open);
  afterAll(close);
}

function open(): void {
  process.env.FAIRLEAD_CONNECTIONS = '4096';
  namespace = testNamespace();
}

function close(): void {
  try {
    namespace.run(detach);
  } finally {
    namespace[Symbol.dispose]();
  }
}

describe('an instance', () => {
  ownNamespace();

  test('is made by the first change, found by others, and gone after detach', () => {
    const before = traces();
    install(tableOf(web('rr', 1, 2)));
    expect(installed()).toEqual(tableOf(web('rr', 1, 2)));
    expect(namespace.run(() => openDirector({ create: false })?.status()?.attachments)).toEqual([
      { interface: 'v1', index: expect.any(Number), tc: true, xdp: false },
      { interface: 'v0', index: expect.any(Number), tc: true, xdp: false },
    ]);
    expect(traces()).not.toEqual(before);
    expect(namespace.run(detach)).toBe(true);
    expect(traces()).toEqual(before);
    expect(namespace.run(detach)).toBe(false);
  });

  test('remembers the daemons of synchronisation until they are stopped', () => {
    const backup: SyncDaemon = {
      ...{ role: 'backup', interface: 'v0', syncId: 7, maxLength: 1472, port: 8848, ttl: 1 },
      group: parseAddress('224.0.0.81'),
    };
    const master: SyncDaemon = { ...backup, role: 'master', group: parseAddress('ff02::5'), ttl: 255 };
    const change = (edit: (present: readonly SyncDaemon[]) => readonly SyncDaemon[]) =>
      namespace.run(() => {
        using director = openDirector({ create: true });
        director?.changeSyncDaemons(edit);
      });
    const present = () =>
      namespace.run(() => {
        using director = openDirector({ create: false });
        return director?.syncDaemons();
      });
    change((none) => [...none, backup]);
    expect(present()).toEqual([backup]);
    change((one) => [...one, master]);
    expect(present()).toEqual([master, backup]);
    expect(() => change((both) => withoutDaemon(withoutDaemon(both, 'master'), 'master'))).toThrow();
    change((both) => withoutDaemon(both, 'backup'));
    expect(present()).toEqual([master]);
  });

  test('is not there before, and not for reading', () => {
    expect(namespace.run(() => openDirector({ create: false }))).toBeUndefined();
    using director = namespace.run(() => openDirector({ create: true }));
    expect(director?.services()).toEqual([]);
    expect([...(director?.connections() ?? [])]).toEqual([]);
    expect(namespace.run(place)).toBeUndefined();
  });

  test.each<[string, (table: Table) => Table]>([
    [
      'an edit that fails',
      () => {
        throw new Error('refused');
      },
    ],
    [
      'a table that is not supported',
      () => tableOf({ ...web('rr', 1), identity: { kind: 'mark', mark: 0, family: 4 } }),
    ],
    [
      'a table that does not fit',
      () => tableOf({ ...web('rr', 1), localAddresses: many(17_000).map(({ rip }) => rip) }),
    ],
  ])('is not left behind by %s as its first change', (_, edit) => {
    const before = traces();
    expect(() => namespace.run(() => change(edit))).toThrow();
    expect(traces()).toEqual(before);
  });

  test('keeps a clsact qdisc and a setting that were there before', () => {
    namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'clsact');
    namespace.output('sysctl', '-q', 'net.ipv4.conf.lo.forwarding=1');
    const before = traces();
    install(tableOf(web('rr', 1)));
    namespace.run(detach);
    expect(traces()).toEqual(before);
  });

  test.each<[string, () => unknown]>([
    ['the next change', () => install(tableOf(web('rr', 1, 2)))],
    ['a change that changes nothing', () => install(tableOf(web('rr', 1)))],
    ['attaching again', () => namespace.run(() => attach({}))],
  ])('that can look nothing up any more, as somebody wrote ip_forward, can again after %s', (_, mend) => {
    const isForwarding = (): boolean =>
      namespace.run(() => openDirector({ create: false })?.status()?.missingForwarding.length === 0);
    const turn = (value: 0 | 1): unknown => namespace.output('sysctl', '-q', `net.ipv4.ip_forward=${value}`);
    turn(0);
    const before = traces();
    install(tableOf(web('rr', 1)));
    expect(isForwarding()).toBe(true);
    turn(1);
    turn(0);
    expect(isForwarding()).toBe(false);
    mend();
    expect(isForwarding()).toBe(true);
    namespace.run(detach);
    expect(traces()).toEqual(before);
  });

  test('of a namespace that is gone is removed when the next is made', async () => {
    let dead: Place | undefined;
    {
      using other = testNamespace();
      other.run(() => change(() => tableOf(web('rr', 1))));
      dead = other.run(place);
    }
    expect(dead).toBeDefined();
    using sentinel = BpfMap.openPinned(join(dead?.directory ?? '', 'sentinel'));
    // The kernel takes a namespace down in its own time.
    await until(() => sentinel !== undefined && !isNetnsAlive(sentinel));
    install(tableOf(web('rr', 1)));
    expect(existsSync(dead?.directory ?? '')).toBe(false);
    expect(installed()).toEqual(tableOf(web('rr', 1)));
  });

  test('is seen by its own namespace only', () => {
    using other = testNamespace();
    install(tableOf(web('rr', 1)));
    expect(other.run(() => openDirector({ create: false }))).toBeUndefined();
  });
});

describe('attaching', () => {
  ownNamespace();

  test('to a named interface takes that one only', () => {
    const attached = namespace.run(() => attach({ interfaces: ['v0'], hook: 'tc' }));
    expect(attached.map((one) => [one.interface, one.tc, one.xdp])).toEqual([['v0', true, false]]);
  });

  test('at XDP by name puts TC behind it, on a veth too', () => {
    const attached = namespace.run(() => attach({ interfaces: ['v0'], hook: 'xdp' }));
    expect(attached.map((one) => [one.interface, one.tc, one.xdp])).toEqual([['v0', true, true]]);
    namespace.run(detach);
    expect(namespace.ip('-d', 'link', 'show', 'v0')).not.toContain('xdp');
  });

  test('again changes the hook', () => {
    namespace.run(() => attach({ interfaces: ['v0'], hook: 'xdp' }));
    const attached = namespace.run(() => attach({ hook: 'tc' }));
    expect(attached.map((one) => [one.interface, one.tc, one.xdp])).toEqual([
      ['v1', true, false],
      ['v0', true, false],
    ]);
  });

  test('again notes of the services what an earlier build did not', () => {
    namespace.run(() => attach({ interfaces: ['v0'], hook: 'xdp' }));
    const vip = parseAddress('2001:db8::80');
    install(tableOf({ ...dns('rr'), identity: { kind: 'address', protocol: 'udp', vip, port: 53 } }));
    withMaps((maps) => {
      maps.rows('settings').patch(0, { serves_six: 0, lookups: 0 });
      maps.rows('instances').patch(0, { build: 0 });
    });
    namespace.run(() => attach({}));
    withMaps((maps) => expect(maps.rows('settings').number('serves_six').get(0)).toBe(1));
  });

  test('again puts the programs as they are built now in their place, and keeps the tables', () => {
    namespace.run(() => attach({ interfaces: ['v0'], hook: 'xdp' }));
    install(tableOf(web('rr', 1, 2)));
    count({ 1: 10n });
    const programs = (): string =>
      namespace.output('tc', 'filter', 'show', 'dev', 'v0', 'ingress') + namespace.ip('link', 'show', 'v0');
    const before = programs();
    namespace.run(() => attach({ interfaces: ['v0'], hook: 'xdp' }));
    expect(programs()).not.toEqual(before);
    const withoutIds = (text: string): string => text.replaceAll(/:\[\d+\]| id \d+|tag \S+/g, '');
    expect(withoutIds(programs())).toEqual(withoutIds(before));
    expect(connections()).toEqual([10n, { 1: 10n, 2: 0n }]);
  });

  test('finds another size of the connection table not to be had any more', () => {
    namespace.run(() => attach({ connections: 2048 }));
    expect(() => namespace.run(() => attach({ connections: 4096 }))).toThrow('is chosen when it is made');
    expect(namespace.run(() => attach({ connections: 2048 }))).toHaveLength(2);
  });

  test('leaves a foreign XDP program where it is: by name it is refused, else TC does it', () => {
    namespace.output('ip', 'link', 'set', 'dev', 'v0', 'xdp', 'obj', foreignObject(), 'sec', 'xdp');
    const before = traces();
    expect(() => namespace.run(() => attach({ interfaces: ['v0', 'v1'], hook: 'xdp' }))).toThrow('foreign');
    expect(traces()).toEqual(before);
    expect(namespace.run(() => attach({ interfaces: ['v0'] })).map((one) => [one.tc, one.xdp])).toEqual([
      [true, false],
    ]);
    namespace.run(detach);
    expect(traces()).toEqual(before);
  });

  /** At v0. */
  const inTheWay: readonly (readonly [string, string, () => void])[] = [
    [
      "another's filter",
      'is taken by a filter of kind bpf',
      () => {
        const place = ['ingress', 'pref', '64', 'handle', '0xfa1ead', 'bpf', 'da', 'obj', foreignObject(), 'sec', 'tc'];
        namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'clsact');
        namespace.output('tc', 'filter', 'add', 'dev', 'v0', ...place);
      },
    ],
    [
      'a qdisc of another kind',
      'has the qdisc ingress where clsact is needed',
      () => namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'ingress'),
    ],
  ];

  test.each(inTheWay)('is refused where %s has the place, if the interface was named', (_, why, putInTheWay) => {
    putInTheWay();
    const before = traces();
    expect(() => namespace.run(() => attach({ interfaces: ['v1', 'v0'] }))).toThrow(why);
    expect(traces()).toEqual(before);
  });

  test.each(inTheWay)('goes on where %s has the place at one of many, and says so', (_, why, putInTheWay) => {
    putInTheWay();
    const before = traces();
    const warnings: string[] = [];
    namespace.run(() => {
      using director = openDirector({ create: true, warn: (text) => warnings.push(text) });
      director?.change(() => tableOf(web('rr', 1)));
    });
    expect(warnings).toEqual([expect.stringMatching(`^no packets are taken from v0: .*${why}`)]);
    install(tableOf(web('rr', 2)));
    expect(attachedAndNot()).toEqual([['v1'], { v0: expect.stringContaining(why) }]);
    namespace.run(detach);
    expect(traces()).toEqual(before);
  });

  test('takes in an interface once nothing stands in the way any more', () => {
    namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'ingress');
    install(tableOf(web('rr', 1)));
    namespace.output('tc', 'qdisc', 'del', 'dev', 'v0', 'ingress');
    expect(attachedAndNot()).toEqual([['v1'], { v0: expect.stringContaining('it came later') }]);
    install(tableOf(web('rr', 2)));
    expect(attachedAndNot()).toEqual([['v0', 'v1'], {}]);
  });

  test('is refused where every interface has something in the way', () => {
    for (const name of ['v0', 'v1']) namespace.output('tc', 'qdisc', 'add', 'dev', name, 'ingress');
    const before = traces();
    expect(() => install(tableOf(web('rr', 1)))).toThrow('has the qdisc ingress where clsact is needed');
    expect(traces()).toEqual(before);
  });

  test('by name holds for an interface that is made anew under its name, from the next change on', () => {
    namespace.run(() => attach({ interfaces: ['v0'] }));
    install(tableOf(web('rr', 1)));
    namespace.ip('link', 'del', 'v0');
    expect(attachedAndNot()).toEqual([[], {}]);
    install(tableOf(web('rr', 2)));
    namespace.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
    const others = { v1: 'fairlead attach named others' };
    expect(attachedAndNot()).toEqual([[], { v0: expect.stringContaining('it lost its programs'), ...others }]);
    install(tableOf(web('rr', 3)));
    expect(attachedAndNot()).toEqual([['v0'], others]);
    namespace.output('tc', 'qdisc', 'del', 'dev', 'v0', 'clsact');
    expect(attachedAndNot()).toEqual([[], { v0: expect.stringContaining('it lost its programs'), ...others }]);
    install(tableOf(web('rr', 4)));
    expect(attachedAndNot()).toEqual([['v0'], others]);
  });

  test('to an interface that is missing leaves nothing behind', () => {
    const before = traces();
    expect(() => namespace.run(() => attach({ interfaces: ['v0', 'none'] }))).toThrow('there is no interface none');
    expect(traces()).toEqual(before);
  });

  test('takes in interfaces that come later, unless they were named', () => {
    const names = (): (string | undefined)[] | undefined =>
      namespace.run(() =>
        openDirector({ create: false })
          ?.status()
          ?.attachments.map((one) => one.interface),
      );
    install(tableOf(web('rr', 1)));
    namespace.ip('link', 'add', 'v2', 'type', 'veth', 'peer', 'name', 'v3');
    install(tableOf(web('rr', 2)));
    expect(names()?.sort()).toEqual(['v0', 'v1', 'v2', 'v3']);
    namespace.run(() => attach({ interfaces: ['v0'] }));
    install(tableOf(web('rr', 3)));
    expect(names()).toEqual(['v0']);
  });

  test('goes on when an interface has gone', () => {
    install(tableOf(web('rr', 1)));
    namespace.ip('link', 'del', 'v0');
    expect(namespace.run(() => openDirector({ create: false })?.status()?.attachments)).toEqual([]);
    expect(namespace.run(detach)).toBe(true);
  });
});

describe('a change', () => {
  sharedNamespace();

  const before = tableOf(web('wrr', 1, 2, 3), dns('lblc', 1, 2));
  const afters: [string, Table][] = [
    ['one service in place', tableOf(web('wrr', 4, 2, 1), dns('lblc', 1, 2))],
    ['one service away', tableOf(web('wrr', 1, 2, 3))],
    ['one service more', tableOf(web('wrr', 1, 2, 3), dns('lblc', 1, 2), other('sh', 7, 8))],
    ['all of them', tableOf(web('sh', 3), dns('rr', 5, 2), other('dh', 7, 8))],
    ['everything away', emptyTable],
  ];
  const steps: Step[] = ['repaired', 'planned', 'settled', 'prepared', 'swapped', 'finished'];

  test.each(afters.flatMap(([name, after]) => steps.map((step) => [name, step, after] as const)))(
    'of %s that dies after "%s" leaves the table of before or of after, and the next one works',
    (_, step, after) => {
      install(before);
      namespace.run(() => {
        using director = openDirector({
          create: true,
          onStep: (done) => {
            if (done === step) throw new Error('killed');
          },
        });
        expect(() => director?.change(() => after)).toThrow('killed');
      });
      expect(installed()).toEqual(step === 'swapped' || step === 'finished' ? after : before);
      install(after);
      expect(installed()).toEqual(after);
      install(before);
      expect(installed()).toEqual(before);
      expectSound();
    },
  );

  test('of thousands of services is one transaction', () => {
    const services = Array.from({ length: 5000 }, (_, index) => ({
      ...web(index % 2 ? 'wlc' : 'sh', (index % 250) + 1, 251),
      identity: {
        kind: 'address',
        protocol: 'tcp',
        vip: parseAddress(`10.9.${index >> 8}.${index & 255}`),
        port: 80,
      } as const,
    }));
    install({ services });
    expect(installed()).toEqual({ services });
    expect(() => install({ services: [...services, ...services.slice(0, 1)] })).toThrow('twice');
    expect(installed()).toEqual({ services });
    install({ services: services.slice(0, 1) });
    expect(installed()).toEqual({ services: services.slice(0, 1) });
  });

  test('that changes nothing writes nothing', () => {
    install(before);
    const seen: Step[] = [];
    namespace.run(() => {
      using director = openDirector({ create: true, onStep: (step) => seen.push(step) });
      director?.change((table) => table);
    });
    expect(seen).toEqual(['repaired']);
  });
});

describe('counters', () => {
  ownNamespace();

  test('of a service go on when destinations come and go, and of a destination that comes back', () => {
    install(tableOf(web('rr', 1, 2)));
    count({ 1: 10n, 2: 100n });
    expect(connections()).toEqual([110n, { 1: 10n, 2: 100n }]);
    install(tableOf(web('rr', 1)));
    expect(connections()).toEqual([110n, { 1: 10n }]);
    install(tableOf(web('rr', 1, 3)));
    expect(connections()).toEqual([110n, { 1: 10n, 3: 0n }]);
    install(tableOf(web('rr', 1, 2, 3)));
    expect(connections()).toEqual([110n, { 1: 10n, 2: 100n, 3: 0n }]);
    count({ 2: 5n });
    expect(connections()).toEqual([115n, { 1: 10n, 2: 105n, 3: 0n }]);
  });

  test("of a service that is made again begin at nothing, its destinations' too", () => {
    install(tableOf(web('rr', 1), dns('rr', 9)));
    count({ 1: 10n });
    install(tableOf(dns('rr', 9)));
    install(tableOf(dns('rr', 9), web('rr', 1)));
    expect(connections(1)).toEqual([0n, { 1: 0n }]);
  });

  test('begin at nothing when they are zeroed', () => {
    install(tableOf(web('rr', 1, 2)));
    count({ 1: 10n, 2: 100n });
    namespace.run(() => {
      using director = openDirector({ create: false });
      director?.zero(web('rr').identity);
      expect(() => director?.zero(dns('rr').identity)).toThrow('there is no service');
    });
    expect(connections()).toEqual([0n, { 1: 0n, 2: 0n }]);
    count({ 1: 1n });
    install(tableOf(web('rr', 2)));
    expect(connections()).toEqual([1n, { 2: 0n }]);
    install(tableOf(web('rr', 1, 2)));
    expect(connections()).toEqual([1n, { 1: 1n, 2: 0n }]);
  });
});

describe('timeouts', () => {
  ownNamespace();

  test('are kept, and 0 keeps one', () => {
    install(tableOf(web('rr', 1)));
    namespace.run(() => {
      using director = openDirector({ create: false });
      expect(director?.timeouts()).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
      director?.setTimeouts({ tcp: 33, tcpFin: 0, udp: 11 });
      using again = openDirector({ create: false });
      expect(again?.timeouts()).toEqual({ tcp: 33, tcpFin: 120, udp: 11 });
      expect(() => director?.setTimeouts({ tcp: 4294967, tcpFin: 0, udp: 0 })).toThrow('expected a timeout');
    });
  });
});

function service(port: number, scheduler: Service['scheduler'], rips: readonly number[]): Service {
  return {
    identity: { kind: 'address', protocol: port === 53 ? 'udp' : 'tcp', vip: parseAddress('10.0.0.100'), port },
    scheduler,
    localAddresses: port === 80 ? [parseAddress('10.0.0.7')] : [],
    destinations: rips.map((last) => ({ rip: parseAddress(`10.1.0.${last}`), port, method: 'masq', weight: last })),
  };
}

function web(scheduler: Service['scheduler'], ...rips: number[]): Service {
  return service(80, scheduler, rips);
}

function dns(scheduler: Service['scheduler'], ...rips: number[]): Service {
  return service(53, scheduler, rips);
}

function other(scheduler: Service['scheduler'], ...rips: number[]): Service {
  return service(8080, scheduler, rips);
}

function many(count: number): Destination[] {
  return Array.from({ length: count }, (_, index) => ({
    rip: parseAddress(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`),
    port: 80,
    method: 'masq',
    weight: 1,
  }));
}

function tableOf(...services: Service[]): Table {
  return { services };
}

function change(edit: (table: Table) => Table): void {
  using director = openDirector({ create: true });
  director?.change(edit);
}

function install(table: Table): void {
  namespace.run(() => change(() => table));
}

function installedServices(): readonly InstalledService[] {
  return namespace.run(() => {
    using director = openDirector({ create: false });
    return director?.services() ?? [];
  });
}

function installed(): Table {
  return {
    services: installedServices().map(({ identity, scheduler, localAddresses, destinations }) => ({
      identity,
      scheduler,
      localAddresses,
      destinations: destinations.map(({ rip, port, method, weight }) => ({ rip, port, method, weight })),
    })),
  };
}

/** Of a service, and of its destinations by the last number of their address. */
function connections(index = 0): [bigint | undefined, Record<number, bigint>] {
  const found = installedServices()[index];
  return [
    found?.counters.connections,
    Object.fromEntries(found?.destinations.map(({ rip, counters }) => [rip.bytes[3], counters.connections]) ?? []),
  ];
}

/** Counts connections as packets on two CPUs would. */
function count(connectionsOf: Readonly<Record<number, bigint>>): void {
  withMaps((maps) => {
    const { cpus, destination_slots } = maps.instance;
    const column = maps.rows('counters').bigint('connections');
    for (let slot = 0; slot < maps.rows('settings').number('destinations_used').get(0); slot++) {
      const last = maps.rows('destinations').read<{ rip: { word: number[] } }>(slot).rip.word[0] ?? 0;
      const at = (slot % cpus) * destination_slots + slot;
      column.set(at, column.get(at) + (connectionsOf[last >>> 24] ?? 0n));
    }
  });
}

/** Slots that packets may use are just those of the table, and each knows its service. */
function expectSound(): void {
  withMaps((maps) => {
    const rows = maps.rows('destinations');
    const flags = rows.number('flags');
    const used = maps.rows('settings').number('destinations_used').get(0);
    const usable = Array.from({ length: used }, (_, slot) => slot).filter((slot) => flags.get(slot) === 1);
    expect(usable.length).toBe(installedServices().reduce((sum, { destinations }) => sum + destinations.length, 0));
    expect(used).toBeLessThan(20);
  });
}

function withMaps(work: (maps: Maps) => void): void {
  namespace.run(() => {
    const found = place();
    using maps = found && openInstance(found);
    if (maps === undefined) throw new Error('there is no instance');
    work(maps);
  });
}

/** A compiled program of somebody else, for XDP and for TC. */
function foreignObject(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fairlead-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [source, object] = [join(directory, 'foreign.c'), join(directory, 'foreign.o')];
  writeFileSync(
    source,
    ['xdp', 'tc']
      .map(
        (hook) =>
          `__attribute__((section("${hook}"))) int foreign_${hook}(void *c) { return ${hook === 'xdp' ? 2 : -1}; }`,
      )
      .join('\n'),
  );
  execFileSync('clang-16', ['-O2', '-g', '-target', 'bpf', '-c', source, '-o', object]);
  return object;
}

/** Where the namespace's instance is pinned, whole or not. */
function place(): Place | undefined {
  const found = findPlace(false);
  return found !== undefined && (existsSync(found.directory) || existsSync(found.unfinished)) ? found : undefined;
}

/** Names of interfaces, and of those not attached also why. */
function attachedAndNot(): readonly [readonly string[], Readonly<Record<string, string>>] {
  return namespace.run(() => {
    using director = openDirector({ create: false });
    const { attachments = [], unattached = [] } = director?.status() ?? {};
    const attached = attachments.map((one) => one.interface).sort();
    return [attached, Object.fromEntries(unattached.map(({ interface: name, why }) => [name, why]))];
  });
}

/** Everything in the namespace that attaching touches. */
function traces(): unknown {
  return {
    pinned: namespace.run(place) !== undefined,
    qdiscs: namespace.output('tc', 'qdisc', 'show'),
    filters: namespace.output('tc', 'filter', 'show', 'dev', 'v0', 'ingress'),
    forwarding: namespace.output('sysctl', '-n', 'net.ipv4.conf.lo.forwarding', 'net.ipv4.ip_forward'),
    links: namespace.ip('-d', 'link'),
  };
}
