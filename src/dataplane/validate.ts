// What must hold of a table before any of it is installed.
import { about, FairleadError } from '../model/error.ts';
import type { Destination, Service, ServiceIdentity, Table } from '../model/service.ts';
import { destinationKey, serviceKey } from '../model/table.ts';

const largestPort = 65535;
const largestWeight = 2 ** 31 - 1;

export function validate({ services }: Table): void {
  const known = new Set<string>();
  for (const service of services) {
    const key = serviceKey(service.identity);
    if (known.has(key)) throw new FairleadError('service-exists', `the service ${key} is there twice`);
    known.add(key);
    about(key, () => validateService(service));
  }
}

function validateService({ identity, localAddresses, destinations }: Service): void {
  const family = validateIdentity(identity);
  const known = new Set<string>();
  for (const address of localAddresses) expectFamily(family, address.family);
  for (const destination of destinations) {
    const key = destinationKey(destination);
    if (known.has(key)) throw new FairleadError('destination-exists', `the destination ${key} is there twice`);
    known.add(key);
    expectFamily(family, destination.rip.family);
    validateDestination(destination);
  }
}

function validateIdentity(identity: ServiceIdentity): 4 | 6 {
  if (identity.kind === 'mark') throw new FairleadError('not-supported', 'services by firewall mark are not supported');
  expectRange('port', identity.port, 1, largestPort);
  return identity.vip.family;
}

function validateDestination({ port, weight }: Destination): void {
  expectRange('port', port, 0, largestPort);
  expectRange('weight', weight, 0, largestWeight);
}

function expectFamily(wanted: 4 | 6, got: 4 | 6): void {
  if (got !== wanted) throw new FairleadError('not-supported', 'a service and its addresses must be of one family');
}

function expectRange(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new FairleadError('out-of-range', `${what}: ${value} is not within ${least} and ${most}`);
}
