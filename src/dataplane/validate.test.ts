// What is refused before anything is written.
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../model/address.ts';
import type { Destination, Service, ServiceIdentity } from '../model/service.ts';
import { validate } from './validate.ts';

const identity: ServiceIdentity = { kind: 'address', protocol: 'tcp', vip: parseAddress('10.0.0.100'), port: 80 };
const destination: Destination = { rip: parseAddress('10.1.0.1'), port: 80, method: 'masq', weight: 1 };
const service: Service = { identity, scheduler: 'wlc', localAddresses: [], destinations: [destination] };

describe('a table', () => {
  test('may have services of one VIP and different ports or protocols', () => {
    expect(() =>
      validate({
        services: [
          service,
          { ...service, identity: { ...identity, port: 81 } },
          { ...service, identity: { ...identity, protocol: 'udp' } },
          { ...service, identity: { ...identity, protocol: 'sctp' } },
        ],
      }),
    ).not.toThrow();
  });
  test.each<[string, Service[], string]>([
    ['the same service twice', [service, service], 'is there twice'],
    [
      'the same destination twice',
      [{ ...service, destinations: [destination, { ...destination, weight: 2 }] }],
      'is there twice',
    ],
    ['mark 0', [{ ...service, identity: { kind: 'mark', mark: 0, family: 4 } }], 'mark: 0'],
    ['two families', [{ ...service, identity: { ...identity, vip: parseAddress('fd00::1') } }], 'of one family'],
    [
      'two families',
      [{ ...service, destinations: [{ ...destination, rip: parseAddress('fd00::1') }] }],
      'of one family',
    ],
    [
      'a lower threshold above the upper one',
      [{ ...service, destinations: [{ ...destination, upperThreshold: 2, lowerThreshold: 3 }] }],
      'lower threshold: 3',
    ],
    [
      'persistence without a time',
      [{ ...service, persistence: { timeoutS: 0, mask: parseAddress('255.255.255.255') } }],
      'persistence: 0',
    ],
    ['a weight below 0', [{ ...service, destinations: [{ ...destination, weight: -1 }] }], 'weight: -1'],
    ['a weight beyond 31 bits', [{ ...service, destinations: [{ ...destination, weight: 2 ** 31 }] }], 'weight'],
  ])('may not have %s', (_, services, message) => {
    expect(() => validate({ services })).toThrow(message);
  });
});
