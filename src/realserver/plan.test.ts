// What a tunnel needs, on machines that are already set up in every odd way.
import { describe, expect, test } from 'vitest';
import type { Interface } from '../kernel/interfaces.ts';
import { formatChange } from './change.ts';
import { type Decapsulation, plan } from './plan.ts';
import type { AssignedAddress, System } from './system.ts';

const vip = '203.0.113.100';

const onLo: AssignedAddress = { interface: 'lo', address: vip, answersArp: false };
const quiet = { 'all arp_ignore': '1', 'all arp_announce': '2' };
const allOn: Partial<Machine> = { addresses: [onLo], clsact: ['eth0'], takes: true, on: [2] };

describe('a tunnel needs', () => {
  test.each<[string, Partial<Machine>, readonly string[]]>([
    [
      'everything on an untouched machine, in the order in which it is safe',
      {},
      [
        'net.ipv4.conf.all.arp_ignore: 0 -> 1',
        'net.ipv4.conf.all.arp_announce: 0 -> 2',
        `${vip}/32 on lo, scope host`,
        'qdisc clsact on eth0',
        'decapsulating program on eth0, ingress',
        `tunnelled packets for ${vip} are decapsulated (ipip)`,
      ],
    ],
    ['nothing where all is so', { settings: quiet, ...allOn }, []],
    [
      'no ARP setting where stricter ones are',
      { settings: { 'all arp_ignore': '8', 'all arp_announce': '2' }, ...allOn },
      [],
    ],
    [
      'another arp_ignore where an interface has a value that answers everything',
      { settings: { ...quiet, 'eth0 arp_ignore': '5' }, ...allOn },
      ['net.ipv4.conf.eth0.arp_ignore: 5 -> 1'],
    ],
    [
      'the VIP on no second interface where one that never answers ARP has it',
      { settings: quiet, ...allOn, addresses: [{ interface: 'dummy0', address: vip, answersArp: false }] },
      [],
    ],
    [
      'no new qdisc where there is one',
      { settings: quiet, ...allOn, on: [] },
      ['decapsulating program on eth0, ingress'],
    ],
    [
      'programs on bridges and VLANs, not on ports and not on what carries no Ethernet',
      {
        settings: quiet,
        addresses: [onLo],
        takes: true,
        interfaces: [
          one(2, 'eth0', { master: 4 }),
          one(3, 'tun0', { linkType: 'none' }),
          one(4, 'br0', { kind: 'bridge' }),
          one(5, 'br0.7', { kind: 'vlan' }),
          one(6, 'red1', { master: 7 }),
          one(7, 'red', { kind: 'vrf' }),
        ],
        clsact: ['br0', 'br0.7', 'red1', 'red'],
      },
      ['br0', 'br0.7', 'red1', 'red'].map((name) => `decapsulating program on ${name}, ingress`),
    ],
  ])('%s', (_, machine, expected) => {
    expect(changes(machine)).toEqual(expected);
  });
});

describe('strict reverse path filtering', () => {
  const twoLegs: Partial<Machine> = {
    interfaces: [one(2, 'eth0', {}), one(3, 'eth1', {})],
    addresses: [onLo, { interface: 'eth0', address: '10.0.0.3', answersArp: true }],
    waysOut: ['eth1'],
    clsact: ['eth0', 'eth1'],
    takes: true,
    on: [2, 3],
  };
  const strict = { ...quiet, 'all rp_filter': '1' };

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['is loosened where replies leave elsewhere', { 'all rp_filter': '1' }, ['0 -> 2']],
    ['is loosened where only the interface has it', { 'eth0 rp_filter': '1' }, ['1 -> 2']],
    ['stays where the interface is loose already', { 'all rp_filter': '1', 'eth0 rp_filter': '2' }, []],
    ['stays where all are loose', { 'all rp_filter': '2', 'eth0 rp_filter': '1' }, []],
    ['stays off', {}, []],
  ])('%s', (_, settings, expected) => {
    const wanted = expected.map((values) => `net.ipv4.conf.eth0.rp_filter: ${values}`);
    expect(changes({ ...twoLegs, settings: { ...quiet, ...settings } })).toEqual(wanted);
  });

  test.each<[string, Partial<Machine>]>([
    ['replies leave by the same interface', { waysOut: ['eth0', 'eth1'] }],
    ['no default route tells where clients are', { waysOut: [] }],
    ['the interface has no address that a tunnel could be sent to', { addresses: [onLo] }],
  ])('stays where %s', (_, machine) => {
    expect(changes({ ...twoLegs, settings: strict, ...machine })).toEqual([]);
  });
});

describe('it is refused', () => {
  test('where an interface would answer ARP for the VIP', () => {
    const addresses = [{ interface: 'eth0', address: vip, answersArp: true }];
    expect(() => changes({ addresses })).toThrow(`eth0 has ${vip} and answers ARP for it`);
  });

  test('where nothing could bring a packet', () => {
    expect(() => changes({ interfaces: [one(1, 'lo', { linkType: 'loopback' })] })).toThrow('no Ethernet interface');
  });
});

function one(index: number, name: string, facts: Partial<Interface>): Interface {
  return {
    ...{ index, name, kind: undefined, linkType: 'ether', mac: '02:00:00:00:00:01', mtu: 1500, isUp: true },
    ...{ isRunning: true, master: undefined, link: undefined, driver: undefined, xdpProgram: undefined },
    ...facts,
  };
}

interface Machine {
  readonly interfaces: readonly Interface[];
  readonly addresses: readonly AssignedAddress[];
  readonly waysOut: readonly string[];
  readonly clsact: readonly string[];
  /** By interface and name; 0 if not given. */
  readonly settings: Readonly<Record<string, string>>;
  readonly takes: boolean;
  readonly on: readonly number[];
}

function changes(machine: Partial<Machine>): readonly string[] {
  const system: System = {
    interfaces: [one(1, 'lo', { linkType: 'loopback' }), one(2, 'eth0', {})],
    addresses: [],
    waysOut: ['eth0'],
    clsact: [],
    ...machine,
    setting: (where, name) => machine.settings?.[`${where} ${name}`] ?? '0',
  };
  const decapsulation: Decapsulation = {
    takes: () => machine.takes === true,
    isOn: (index) => machine.on?.includes(index) === true,
  };
  return plan(vip, 'tunnel', system, decapsulation).flatMap(({ change }) => (change ? [formatChange(change)] : []));
}
