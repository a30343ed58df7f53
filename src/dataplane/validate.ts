// What must hold of a table before any of it is installed.
import { about, FairleadError } from '../model/error.ts';
import {
  type Destination,
  mssRange,
  type Service,
  type ServiceIdentity,
  type Table,
  type Tunnel,
} from '../model/service.ts';
import { destinationKey, serviceKey } from '../model/table.ts';

const largestPort = 65535;
const largestWeight = 2 ** 31 - 1;
const largestThreshold = 2 ** 32 - 1;
const mostLocalAddresses = 65535;
const largestMark = 2 ** 32 - 1;
/** 31 days: ipvsadm's. */
const longestPersistenceS = 31 * 86_400;

/** `installed`: services that are not looked at again. */
export function validate({ services }: Table, installed: ReadonlySet<Service> = new Set()): void {
  const known = new Set<string>();
  for (const service of services) {
    const key = serviceKey(service.identity);
    if (known.has(key)) throw new FairleadError('service-exists', `the service ${key} is there twice`);
    known.add(key);
    if (!installed.has(service)) about(key, () => validateService(service));
  }
}

function validateService({ identity, localAddresses, destinations, persistence, ...service }: Service): void {
  const family = validateIdentity(identity);
  if (persistence !== undefined) {
    expectFamily(family, persistence.mask.family);
    expectRange('persistence', persistence.timeoutS, 1, longestPersistenceS);
  }
  expectRange('number of local addresses', localAddresses.length, 0, mostLocalAddresses);
  if (typeof service.mssClamp === 'number') expectRange('MSS clamp', service.mssClamp, mssRange.least, mssRange.most);
  if (service.uoa === 'ipo' && family === 6)
    throw new FairleadError('not-supported', 'IPv6 has no options of IPv4: uoa must be opp');
  const known = new Set<string>();
  for (const destination of destinations) {
    const key = destinationKey(destination);
    if (known.has(key)) throw new FairleadError('destination-exists', `the destination ${key} is there twice`);
    known.add(key);
    if (service.onePacket && destination.method === 'fullnat')
      throw new FairleadError('not-supported', 'full NAT needs connections, and one-packet scheduling has none');
    if (destination.method !== 'tunnel' && destination.method !== 'fullnat')
      expectFamily(family, destination.rip.family);
    validateDestination(destination);
  }
}

function validateIdentity(identity: ServiceIdentity): 4 | 6 {
  if (identity.kind === 'mark') {
    expectRange('mark', identity.mark, 1, largestMark);
    return identity.family;
  }
  expectRange('port', identity.port, 0, largestPort);
  return identity.vip.family;
}

function validateDestination(destination: Destination): void {
  const { port, weight, upperThreshold = 0, lowerThreshold = 0, tunnel } = destination;
  expectRange('port', port, 0, largestPort);
  expectRange('weight', weight, 0, largestWeight);
  expectRange('upper threshold', upperThreshold, 0, largestThreshold);
  expectRange('lower threshold', lowerThreshold, 0, upperThreshold);
  if (tunnel !== undefined) validateTunnel(tunnel);
}

/** As ipvsadm allows them. */
function validateTunnel({ type, port, checksum }: Tunnel): void {
  if (type === 'gue') expectRange('tunnel port', port, 1, largestPort);
  else expectRange(`port of the ${type} tunnel`, port, 0, 0);
  if (checksum !== 'none' && (type === 'ipip' || (type === 'gre' && checksum === 'remote')))
    throw new FairleadError('not-supported', `a tunnel of type ${type} has no ${checksum} checksum`);
}

function expectFamily(wanted: 4 | 6, got: 4 | 6): void {
  if (got !== wanted)
    throw new FairleadError(
      'not-supported',
      'a service and its addresses must be of one family, but for real servers by tunnel and full NAT',
    );
}

function expectRange(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new FairleadError('out-of-range', `${what}: ${value} is not within ${least} and ${most}`);
}
