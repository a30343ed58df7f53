// What a tunnel needs, on machines that are already set up in every odd way.
import { describe, expect, test } from 'vitest';
import type { Interface } from '../kernel/interfaces.ts';
import type { ArpChain } from './arptables.ts';
import { formatChange } from './change.ts';
import { type Decapsulation, plan, type Wanted } from './plan.ts';
import type { AssignedAddress, System } from './system.ts';
import { ipip } from './tunnel.ts';

const vip = '203.0.113.100';

const onLo = assigned('lo', vip, { answersArp: false, isGlobal: false });
const bothPrograms = [
  'decapsulating program on eth0, ingress',
  'program that bounds segments to the tunnel on eth0, egress',
];
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
        ...bothPrograms,
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
      { settings: quiet, ...allOn, addresses: [assigned('dummy0', vip, { answersArp: false })] },
      [],
    ],
    ['no new qdisc where there is one', { settings: quiet, ...allOn, on: [] }, bothPrograms],
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
      ['br0', 'br0.7', 'red1', 'red'].flatMap((name) => bothPrograms.map((program) => program.replace('eth0', name))),
    ],
  ])('%s', (_, machine, expected) => {
    expect(changes(machine)).toEqual(expected);
  });
});

describe('strict reverse path filtering', () => {
  const twoLegs: Partial<Machine> = {
    interfaces: [one(2, 'eth0', {}), one(3, 'eth1', {})],
    addresses: [onLo, assigned('eth0', '10.0.0.3')],
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
    ['rules route what has the VIP by the same interface', { wayFrom: () => 'eth0' }],
    ['no default route tells where clients are', { waysOut: [] }],
    ['the interface has no address that a tunnel could be sent to', { addresses: [onLo] }],
  ])('stays where %s', (_, machine) => {
    expect(changes({ ...twoLegs, settings: strict, ...machine })).toEqual([]);
  });
});

describe('it is refused', () => {
  test('where an interface would answer ARP for the VIP', () => {
    const addresses = [assigned('eth0', vip), assigned('eth0', '10.0.0.3')];
    expect(() => changes({ addresses })).toThrow(`eth0 has ${vip} and answers ARP for it`);
  });

  test.each<[string, Partial<Machine>, string]>([
    ['the only address of an interface', { addresses: [assigned('eth0', vip)] }, 'the machine would be cut off'],
    [
      'the address that this session comes by',
      { addresses: [assigned('eth0', vip)], session: { client: '10.0.0.9', server: vip } },
      'this session comes by it',
    ],
    ["this session's client", { session: { client: vip, server: '10.0.0.3' } }, "this session's client"],
    [
      'a next hop',
      { gateways: [{ address: vip, route: `default via ${vip} dev eth0`, besides: [] }] },
      `the next hop of the route default via ${vip} dev eth0`,
    ],
    ['a broadcast address', { addresses: [assigned('eth0', '10.0.0.3', { broadcast: vip })] }, 'the broadcast address'],
  ])('where the VIP is %s', (_, machine, message) => {
    expect(() => changes(machine)).toThrow(message);
    expect(() => changes(machine, { method: 'gate' })).toThrow(message);
  });

  test("where the VIP is a network's last address, for that is its broadcast address however it was added", () => {
    const addresses = [assigned('eth0', '10.0.0.3', { prefix: 29 }), assigned('eth0', '10.1.0.3', { prefix: 31 })];
    expect(() => changes({ addresses }, { vip: '10.0.0.7' })).toThrow('the broadcast address');
    for (const fine of ['10.0.0.15', '10.0.0.6', '10.1.0.2', '2001:db8::7'])
      expect(changes({ addresses }, { vip: fine })).not.toEqual([]);
  });

  test("where the VIP is a network's first address, for that is the network itself", () => {
    const addresses = [assigned('eth0', '10.0.0.9', { prefix: 29 }), assigned('eth0', '10.1.0.3', { prefix: 31 })];
    const message = "10.0.0.8 is the address of eth0's network itself";
    expect(() => changes({ addresses }, { vip: '10.0.0.8' })).toThrow(message);
    expect(() => changes({ addresses }, { vip: '10.0.0.8', method: 'gate' })).toThrow(message);
    for (const fine of ['10.0.0.0', '10.0.0.16', '10.1.0.2', '2001:db8::'])
      expect(changes({ addresses }, { vip: fine })).not.toEqual([]);
  });

  test('where this session comes by an address that nobody would be told of any more', () => {
    const addresses = [assigned('dummy0', '10.9.0.1', { answersArp: false })];
    const session = { client: '10.0.0.9', server: '10.9.0.1' };
    expect(() => changes({ addresses, session })).toThrow('nobody is told where that is');
    expect(changes({ addresses, session }, { method: 'gate', arp: 'arptables' })).toHaveLength(4);
  });

  test('where nothing could bring a packet', () => {
    expect(() => changes({ interfaces: [one(1, 'lo', { linkType: 'loopback' })] })).toThrow('no Ethernet interface');
  });
});

describe('other methods', () => {
  test('gate needs what a tunnel does, but for the tunnel', () => {
    expect(changes({}, { method: 'gate' })).toEqual([
      'net.ipv4.conf.all.arp_ignore: 0 -> 1',
      'net.ipv4.conf.all.arp_announce: 0 -> 2',
      `${vip}/32 on lo, scope host`,
    ]);
  });

  test('gate with arptables leaves the settings alone', () => {
    const machine = { addresses: [assigned('eth0', '10.0.0.3')] };
    expect(changes(machine, { method: 'gate', arp: 'arptables' })).toEqual([
      "the table of arptables' rules",
      "the chain INPUT of arptables' rules",
      "the chain OUTPUT of arptables' rules",
      `arptables -I INPUT -d ${vip} -j DROP`,
      `arptables -I OUTPUT -o eth0 -s ${vip} -j mangle --mangle-ip-s 10.0.0.3`,
      `${vip}/32 on lo, scope host`,
    ]);
  });

  test('arptables makes the chains that are not there, and none that has no rule in it', () => {
    const addresses = [assigned('eth0', '10.0.0.3')];
    const chains = (machine: Partial<Machine>): readonly string[] =>
      changes(machine, { method: 'gate', arp: 'arptables' }).filter((text) => !/^arptables|on lo/.test(text));
    expect(chains({ addresses, arpChains: ['INPUT'] })).toEqual(["the chain OUTPUT of arptables' rules"]);
    expect(chains({ addresses, arpChains: ['OUTPUT'] })).toEqual(["the chain INPUT of arptables' rules"]);
    expect(chains({ addresses, arpChains: ['INPUT', 'OUTPUT'] })).toEqual([]);
    expect(chains({ arpChains: [] })).toEqual(["the chain INPUT of arptables' rules"]);
  });

  test('fullnat needs nothing where nobody is believed', () => {
    expect(changes({}, { method: 'fullnat' })).toEqual([]);
  });

  test('fullnat has programs that tell who clients are, by the word of directors', () => {
    expect(changes({}, { method: 'fullnat', directors: ['10.0.0.1', '10.9.0.0/24'] })).toEqual([
      'programs that tell servers their clients, for all processes',
      '10.0.0.1 is believed who clients are',
      '10.9.0.0/24 is believed who clients are',
      'qdisc clsact on eth0',
      'program that learns clients on eth0, ingress',
    ]);
  });

  test('a tunnel is told what comes whole', () => {
    expect(changes({ settings: quiet, ...allOn }, { mtu: 1400 })).toEqual([
      `clients of ${vip} are told what fits into packets of 1400 bytes`,
    ]);
  });
});

function assigned(name: string, address: string, facts: Partial<AssignedAddress> = {}): AssignedAddress {
  return {
    ...{ interface: name, address, answersArp: true, isGlobal: true },
    ...{ prefix: address.includes(':') ? 128 : 32, broadcast: undefined, ...facts },
  };
}

function one(index: number, name: string, facts: Partial<Interface>): Interface {
  return {
    ...{ index, name, kind: undefined, linkType: 'ether', mac: '02:00:00:00:00:01', mtu: 1500, isUp: true },
    ...{ isRunning: true, master: undefined, link: undefined, driver: undefined, xdpProgram: undefined },
    ...facts,
  };
}

interface Machine extends Pick<System, 'gateways' | 'session'> {
  readonly interfaces: readonly Interface[];
  readonly addresses: readonly AssignedAddress[];
  readonly waysOut: readonly string[];
  readonly wayFrom: System['wayFrom'];
  readonly clsact: readonly string[];
  /** undefined: there is not even a table. */
  readonly arpChains: readonly ArpChain[];
  /** By interface and name; 0 if not given. */
  readonly settings: Readonly<Record<string, string>>;
  readonly takes: boolean;
  readonly on: readonly number[];
}

function changes(machine: Partial<Machine>, wanted: Partial<Wanted> = {}): readonly string[] {
  const system: System = {
    interfaces: [one(1, 'lo', { linkType: 'loopback' }), one(2, 'eth0', {})],
    addresses: [],
    waysOut: ['eth0'],
    gateways: [],
    clsact: [],
    session: undefined,
    wayFrom: () => undefined,
    hasArpTable: () => machine.arpChains !== undefined,
    hasArpChain: (chain) => machine.arpChains?.includes(chain) === true,
    arpRules: () => [],
    ...machine,
    setting: (where, name) => machine.settings?.[`${where} ${name}`] ?? '0',
  };
  const decapsulation: Decapsulation = {
    takes: () => machine.takes === true,
    isOn: (index) => machine.on?.includes(index) === true,
    pathMtu: () => undefined,
  };
  const all: Wanted = { vip, method: 'tunnel', arp: 'ignore', tunnel: ipip, mtu: undefined, directors: [], ...wanted };
  return plan(all, system, decapsulation).flatMap(({ change }) => (change ? [formatChange(change)] : []));
}
