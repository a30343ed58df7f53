// Packets are taken once each: not from an interface and again from what it is a part of.
import { describe, expect, test } from 'vitest';
import { chooseInterfaces } from './choose.ts';

const ether = { linkType: 'ether', kind: undefined, master: undefined };
const all = [
  { ...ether, index: 1, name: 'lo', linkType: 'loopback' },
  { ...ether, index: 2, name: 'eth0' },
  { ...ether, index: 3, name: 'eth1', master: 9 },
  { ...ether, index: 4, name: 'eth2', master: 8 },
  { ...ether, index: 5, name: 'eth0.7', kind: 'vlan' },
  { ...ether, index: 6, name: 'veth0', kind: 'veth' },
  { ...ether, index: 7, name: 'eth3', master: 10 },
  { ...ether, index: 8, name: 'bond0', kind: 'bond' },
  { ...ether, index: 9, name: 'br0', kind: 'bridge' },
  { ...ether, index: 10, name: 'vrf0', kind: 'vrf' },
  { ...ether, index: 11, name: 'tun0', linkType: 'none', kind: 'tun' },
];
const names = (chosen: readonly { readonly name: string }[]): string[] => chosen.map(({ name }) => name);

describe('interfaces', () => {
  test('are by default the Ethernet ones, without ports and VLANs', () => {
    expect(names(chooseInterfaces(all))).toEqual(['eth0', 'veth0', 'eth3', 'bond0', 'br0', 'vrf0']);
  });
  test('are those named, once each', () => {
    expect(names(chooseInterfaces(all, ['eth1', 'eth0.7', 'eth1']))).toEqual(['eth1', 'eth0.7']);
  });
  test.each([
    ['eth9', 'there is no interface eth9 in this network namespace'],
    ['tun0', 'tun0 is no Ethernet interface: its type is none'],
  ])('can not be %s', (name, message) => expect(() => chooseInterfaces(all, [name])).toThrow(message));
});
