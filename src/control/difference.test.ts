// From what is there and what is declared to what will be there: what is whose, and what is not touched.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import { type Everything, nothingInstalled } from '../model/everything.ts';
import { formatRule } from '../model/mark.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { type Desired, toDesired } from './desired.ts';
import { isSame, type Options, type Planned, planDifference } from './difference.ts';

const desired = (yaml: string): Desired => toDesired(parseConfig(Buffer.from(yaml), 'test.yaml'));
const options: Options = { keep: false, heldAddresses: new Set() };
const apply = (present: Everything, yaml: string, more: Partial<Options> = {}): Planned =>
  planDifference(present, desired(yaml), { ...options, ...more });

const web = "services: [{tcp: '192.0.2.10:80', destinations: [10.1.0.1, 10.1.0.2, 10.1.0.3]}]";

describe('services', () => {
  test('new ones are as ipvsadm -a makes them, one destination after another', () => {
    const { wanted, difference } = apply(nothingInstalled, web);
    expect(wanted.table.services[0]?.destinations.map(destinationKey)).toEqual([
      '10.1.0.3:80',
      '10.1.0.2:80',
      '10.1.0.1:80',
    ]);
    expect(difference.services).toMatchObject([{ action: 'add', service: 'tcp 192.0.2.10:80' }]);
    expect(wanted.ownership.services).toEqual(['tcp 192.0.2.10:80']);
  });

  test('one that does not change is the same object, so the data plane has nothing to do', () => {
    const { wanted } = apply(nothingInstalled, web);
    const again = apply(wanted, web);
    expect(again.wanted.table.services[0]).toBe(wanted.table.services[0]);
    expect(isSame(again.difference)).toBe(true);
  });

  test('destinations that stay keep their place in whatever order they are written', () => {
    const { wanted } = apply(nothingInstalled, web);
    const { wanted: after, difference } = apply(
      wanted,
      "services: [{tcp: '192.0.2.10:80', destinations: [10.1.0.3, 10.1.0.4, {rip: 10.1.0.1, weight: 5}]}]",
    );
    expect(after.table.services[0]?.destinations.map(destinationKey)).toEqual([
      '10.1.0.4:80',
      '10.1.0.3:80',
      '10.1.0.1:80',
    ]);
    expect(difference.services).toMatchObject([
      {
        action: 'change',
        isAdopted: false,
        fields: [],
        destinations: [
          { action: 'remove', destination: '10.1.0.2:80' },
          { action: 'change', destination: '10.1.0.1:80', fields: [{ name: 'weight', before: '1', after: '5' }] },
          { action: 'add', destination: '10.1.0.4:80' },
        ],
      },
    ]);
  });

  test('what a command added stays, what was declared before goes, or stays and is still known', () => {
    const { wanted } = apply(nothingInstalled, web);
    const foreign = apply(nothingInstalled, "services: [{udp: '192.0.2.10:53'}]").wanted.table.services;
    const present = { ...wanted, table: { services: [...foreign, ...wanted.table.services] } };
    const keys = ({ wanted: { table } }: Planned): readonly string[] =>
      table.services.map(({ identity }) => serviceKey(identity));
    expect(keys(apply(present, 'services: []'))).toEqual(['udp 192.0.2.10:53']);
    const kept = apply(present, 'services: []', { keep: true });
    expect(keys(kept)).toEqual(['udp 192.0.2.10:53', 'tcp 192.0.2.10:80']);
    expect(keys(apply(kept.wanted, 'services: []'))).toEqual(['udp 192.0.2.10:53']);
  });

  test("one that a command added and the file declares becomes the file's, and that is told once", () => {
    const { wanted } = apply(nothingInstalled, web);
    const present = { ...wanted, ownership: nothingInstalled.ownership };
    const adopted = apply(present, web);
    expect(adopted.difference.services).toMatchObject([{ action: 'change', isAdopted: true, fields: [] }]);
    expect(isSame(apply(adopted.wanted, web).difference)).toBe(true);
    expect(apply(adopted.wanted, 'services: []').wanted.table.services).toEqual([]);
  });

  test('every field that differs is told', () => {
    const { wanted } = apply(
      nothingInstalled,
      'services: [{mark: 7, persistence: 60s, method: tunnel, tunnel: gre, destinations: [10.1.0.1]}]',
    );
    const { difference } = apply(
      wanted,
      'services: [{mark: 7, scheduler: mh, scheduler_flags: [mh-port], persistence: {timeout: 60s, mask: 24}, method: tunnel, tunnel: {type: gue, checksum: remote}, upper_threshold: 9, lower_threshold: 4, destinations: [10.1.0.1]}]',
    );
    expect(difference.services).toEqual([
      {
        action: 'change',
        service: 'mark 7',
        isAdopted: false,
        fields: [
          { name: 'scheduler', before: 'wlc', after: 'mh' },
          { name: 'scheduler_flags', before: 'none', after: 'mh-port' },
          { name: 'mask', before: 'none', after: '/24' },
        ],
        destinations: [
          {
            action: 'change',
            destination: '10.1.0.1:0',
            fields: [
              { name: 'tunnel', before: 'gre', after: 'gue port 6080 remote checksum' },
              { name: 'upper_threshold', before: 'none', after: '9' },
              { name: 'lower_threshold', before: 'none', after: '4' },
            ],
          },
        ],
      },
    ]);
  });
});

describe('all else', () => {
  test('declared mark rules come first and in order, those of commands after them', () => {
    const rules = 'marks: [{set: 1, to: 10.0.0.1}, {set: 2, to: 10.0.0.2}]';
    const { wanted } = apply(nothingInstalled, rules);
    const foreign = apply(nothingInstalled, 'marks: [{set: 9, to: 10.0.0.9}]').wanted.markRules;
    const present = { ...wanted, markRules: [...foreign, ...wanted.markRules] };
    const texts = (planned: Planned): readonly string[] => planned.wanted.markRules.map(formatRule);
    expect(texts(apply(present, rules))).toEqual([
      '-d 10.0.0.1 --set-mark 1',
      '-d 10.0.0.2 --set-mark 2',
      '-d 10.0.0.9 --set-mark 9',
    ]);
    expect(texts(apply(present, 'marks: [{set: 2, to: 10.0.0.2}]'))).toEqual([
      '-d 10.0.0.2 --set-mark 2',
      '-d 10.0.0.9 --set-mark 9',
    ]);
    expect(texts(apply(present, 'services: []'))).toEqual(['-d 10.0.0.9 --set-mark 9']);
  });

  test('addresses that were there already are not taken away', () => {
    const yaml = 'addresses: {eth0: [192.0.2.10, 192.0.2.11]}';
    const { wanted, addresses } = apply(nothingInstalled, yaml, { heldAddresses: new Set(['192.0.2.11/32 eth0']) });
    expect(addresses.added).toHaveLength(1);
    const both = new Set(['192.0.2.10/32 eth0', '192.0.2.11/32 eth0']);
    expect(isSame(apply(wanted, yaml, { heldAddresses: both }).difference)).toBe(true);
    expect(apply(wanted, 'services: []', { heldAddresses: both }).addresses.removed).toEqual(['192.0.2.10/32 eth0']);
    expect(apply(wanted, 'services: []', { heldAddresses: new Set() }).addresses.removed).toEqual([]);
  });

  test('settings and timeouts that are no more declared are what they are at first', () => {
    const { wanted } = apply(nothingInstalled, 'settings: {drop_entry: 1, sloppy_tcp: 1}\ntimeouts: {tcp: 60s}');
    expect(wanted).toMatchObject({ settings: { drop_entry: 1, sloppy_tcp: 1 }, timeouts: { tcp: 60, udp: 300 } });
    const byNeed = { ...wanted, settings: { ...wanted.settings, drop_entry: 2 } };
    const { difference } = apply(byNeed, 'settings: {drop_entry: 1}');
    expect(difference.settings).toEqual([{ name: 'sloppy_tcp', before: 1, after: 0 }]);
    expect(difference.timeouts).toEqual([{ name: 'tcp', before: 60, after: 900 }]);
  });
});

test('applying is done once: whatever was there, the second time there is nothing to change', () => {
  const services = fc
    .uniqueArray(
      fc.record({
        port: fc.integer({ min: 1, max: 4 }),
        scheduler: fc.constantFrom('rr', 'wlc', 'sh'),
        servers: fc.uniqueArray(fc.record({ last: fc.integer({ min: 1, max: 5 }), weight: fc.nat(3) }), {
          selector: ({ last }) => last,
          maxLength: 4,
        }),
      }),
      { selector: ({ port }) => port, maxLength: 4 },
    )
    .map((all) =>
      JSON.stringify({
        services: all.map(({ port, scheduler, servers }) => ({
          tcp: `192.0.2.10:${port}`,
          scheduler,
          destinations: servers.map(({ last, weight }) => ({ rip: `10.1.0.${last}`, weight })),
        })),
      }),
    );
  fc.assert(
    fc.property(services, services, fc.boolean(), (before, after, isForeign) => {
      const there = apply(nothingInstalled, before).wanted;
      const present = isForeign ? { ...there, ownership: nothingInstalled.ownership } : there;
      const { wanted, difference } = apply(present, after);
      expect(isSame(apply(wanted, after).difference)).toBe(true);
      if (before === after && !isForeign) expect(isSame(difference)).toBe(true);
      const declared = desired(after).services.map(({ identity }) => serviceKey(identity));
      expect(wanted.ownership.services).toEqual(declared);
      if (!isForeign)
        expect(wanted.table.services.map(({ identity }) => serviceKey(identity)).toSorted()).toEqual(
          declared.toSorted(),
        );
    }),
    { numRuns: 60 },
  );
});
