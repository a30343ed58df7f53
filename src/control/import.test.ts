// A table written as a configuration and read again is the same table.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatConfig } from '../config/import/output.ts';
import { writeTable } from '../config/import/table.ts';
import { parseConfig } from '../config/load.ts';
import type { Address } from '../model/address.ts';
import { nothingInstalled } from '../model/everything.ts';
import { prefixMask } from '../model/mark.ts';
import { type Destination, type Service, type ServiceIdentity, schedulers } from '../model/service.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { toDesired } from './desired.ts';
import { planDifference } from './difference.ts';

const address = (family: 4 | 6): fc.Arbitrary<Address> =>
  fc.integer({ min: 1, max: 250 }).map((last) => ({
    family,
    bytes: family === 4 ? [10, 0, 0, last] : [0xfd, ...new Array<number>(14).fill(0), last],
  }));

const identity: fc.Arbitrary<ServiceIdentity> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.oneof(
    fc.record({
      kind: fc.constant('address' as const),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
      vip: address(family),
      port: fc.integer({ min: 1, max: 65535 }),
    }),
    fc.record({
      kind: fc.constant('mark' as const),
      mark: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      family: fc.constant(family),
    }),
  ),
);

function destinations(of: ServiceIdentity): fc.Arbitrary<readonly Destination[]> {
  const family = of.kind === 'mark' ? of.family : of.vip.family;
  const servicePort = of.kind === 'mark' ? 0 : of.port;
  const tunnel = fc.constantFrom(
    undefined,
    { type: 'gre', port: 0, checksum: 'none' } as const,
    { type: 'gue', port: 5555, checksum: 'remote' } as const,
  );
  const one = fc
    .record({
      rip: address(family),
      port: fc.constantFrom(servicePort, 8080),
      method: fc.constantFrom('masq' as const, 'gate' as const, 'tunnel' as const, 'fullnat' as const),
      weight: fc.nat(5),
      upper: fc.constantFrom(0, 100),
      tunnel,
    })
    .map(
      ({ upper, tunnel: wrapping, port, method, ...rest }): Destination => ({
        ...rest,
        method,
        port: of.kind === 'address' && (method === 'gate' || method === 'tunnel') ? servicePort : port,
        ...(upper > 0 && { upperThreshold: upper, lowerThreshold: 50 }),
        ...(method === 'tunnel' && wrapping && { tunnel: wrapping }),
      }),
    );
  return fc.uniqueArray(one, { selector: destinationKey, maxLength: 4 });
}

const service: fc.Arbitrary<Service> = identity.chain((name) => {
  const family = name.kind === 'mark' ? name.family : name.vip.family;
  return fc
    .record({
      scheduler: fc.constantFrom(...schedulers),
      flags: fc.subarray(['flag-3']),
      persistenceS: fc.constantFrom(0, 1, 360),
      length: fc.integer({ min: 1, max: family === 4 ? 32 : 128 }),
      localAddresses: fc.uniqueArray(address(family), { selector: ({ bytes }) => bytes.join(), maxLength: 2 }),
      destinations: destinations(name),
    })
    .map(
      ({ flags, persistenceS, length, ...rest }): Service => ({
        identity: name,
        ...rest,
        ...(flags.length > 0 && { schedulerFlags: flags }),
        ...(persistenceS > 0 && { persistence: { timeoutS: persistenceS, mask: prefixMask(family, length) } }),
      }),
    );
});

test('whatever the table', () => {
  fc.assert(
    fc.property(fc.uniqueArray(service, { selector: (one) => serviceKey(one.identity), maxLength: 4 }), (services) => {
      const yaml = formatConfig(writeTable({ services }));
      const desired = toDesired(parseConfig(Buffer.from(yaml), 'made.yaml'));
      const { wanted } = planDifference(nothingInstalled, desired, { keep: false, heldAddresses: new Set() });
      expect(wanted.table.services).toEqual(services);
    }),
    { numRuns: 60 },
  );
});
