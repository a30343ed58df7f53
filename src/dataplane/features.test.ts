// What a table needs of the programs, and which programs that is.
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BpfObject } from '../kernel/object.ts';
import { parseAddress } from '../model/address.ts';
import type { Destination, Service } from '../model/service.ts';
import { type Feature, features, featuresOfProgram, featuresOfTable, programsFor } from './features.ts';
import { objectPath } from './place.ts';

const address = (vip: string): Service['identity'] => ({
  kind: 'address',
  protocol: 'udp',
  vip: parseAddress(vip),
  port: 53,
});
const service = (facts: Partial<Service>): Service => ({
  identity: address('192.0.2.1'),
  scheduler: 'rr',
  localAddresses: [],
  destinations: [],
  ...facts,
});
const destination = (rip: string, facts: Partial<Destination>): Destination => ({
  rip: parseAddress(rip),
  port: 53,
  method: 'masq',
  weight: 1,
  ...facts,
});
const ftp = { kind: 'address', protocol: 'tcp', vip: parseAddress('192.0.2.1'), port: 21 } as const;
const gre = { type: 'gre', port: 0, checksum: 'none' } as const;

describe('what a table needs', () => {
  test.each<[string, Partial<Service>, readonly Feature[]]>([
    ['IPv4 by masq: nothing more', { destinations: [destination('10.0.0.1', {})] }, []],
    ['a VIP of IPv6', { identity: address('2001:db8::1') }, ['six']],
    ['a mark of IPv6', { identity: { kind: 'mark', mark: 1, family: 6 } }, ['six']],
    ['a tunnel', { destinations: [destination('10.0.0.1', { method: 'tunnel' })] }, ['tunnels']],
    ['GRE', { destinations: [destination('10.0.0.1', { method: 'tunnel', tunnel: gre })] }, ['tunnels', 'wrapping']],
    [
      'a tunnel to the other family',
      { destinations: [destination('2001:db8::2', { method: 'tunnel' })] },
      ['six', 'tunnels', 'wrapping'],
    ],
    [
      'full NAT to the other family',
      { destinations: [destination('2001:db8::2', { method: 'fullnat' })] },
      ['six', 'crossing'],
    ],
    ['fullnat', { destinations: [destination('10.0.0.1', { method: 'fullnat' })] }, ['telling']],
    ['one packet', { onePacket: true }, ['one-packet']],
    ['masq at port 21', { identity: ftp, destinations: [destination('10.0.0.1', {})] }, ['ftp']],
    ['gate at port 21', { identity: ftp, destinations: [destination('10.0.0.1', { method: 'gate' })] }, []],
    ['--pe sip', { persistenceEngine: 'sip' }, ['calls']],
  ])('%s', (_, facts, expected) => {
    expect([...featuresOfTable({ services: [service(facts)] })].sort()).toEqual([...expected].sort());
  });
});

describe('programs', () => {
  test('a program of several features is there only with all of them', () => {
    const names = ['director_tc', 'director_walk_six'];
    expect(programsFor(new Set(['six']), names)).toEqual(['director_tc']);
    expect(programsFor(new Set(['six', 'xdp']), names)).toEqual(names);
  });

  test.skipIf(!existsSync(objectPath))('those by which other builds know what is loaded are still there', () => {
    using object = BpfObject.open(objectPath);
    expect(object.programNames()).toEqual(
      expect.arrayContaining(['director_tc_six', 'director_xdp', 'director_one_packet_tc', 'director_tell_tc']),
    );
  });

  test.skipIf(!existsSync(objectPath))('each feature has programs of its own', () => {
    using object = BpfObject.open(objectPath);
    const named = new Set(object.programNames().flatMap(featuresOfProgram));
    expect([...named].sort()).toEqual([...features].sort());
  });
});
