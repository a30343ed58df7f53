// Edits of a table, as IPVS's control calls make them: its rules, its order of checks and its errors. Pure.
import { type Address, equalAddresses, formatAddress, formatEndpoint, isUnicast } from './address.ts';
import { type ErrorCode, FairleadError } from './error.ts';
import { schedulerFlagBits, schedulerFlagNames } from './scheduler-flags.ts';
import {
  type Destination,
  persistenceEngines,
  type Scheduler,
  type Service,
  type ServiceIdentity,
  schedulers,
  type Table,
} from './service.ts';

/** One change; many of them make one transaction. Throws a FairleadError when it is not allowed. */
export type Edit = (draft: Draft) => void;

/** A table under edit, with every service and destination at hand by its key, so that 100,000 edits cost 100,000 steps. */
export interface Draft {
  readonly services: Map<string, DraftService>;
  /** The host's own broadcast addresses (formatted), which IPVS refuses as real servers as it does multicast. */
  readonly broadcasts: ReadonlySet<string>;
}

interface DraftService {
  service: Service;
  /** Oldest first; undefined until one of them is touched. */
  destinations: Map<string, Destination> | undefined;
}

/** What a new or an edited service is given; the scheduler as a person named it. What is left out is not set. */
export interface ServiceSettings
  extends Pick<
    Service,
    'identity' | 'schedulerFlags' | 'persistence' | 'onePacket' | 'mssClamp' | 'uoa' | 'persistenceEngine'
  > {
  readonly scheduler: string;
}

/** What distinguishes a destination within its service. */
export type DestinationIdentity = Pick<Destination, 'rip' | 'port'>;

export function editTable(table: Table, edits: Iterable<Edit>, broadcasts: readonly Address[] = []): Table {
  const draft: Draft = {
    services: new Map(
      table.services.map((service) => [serviceKey(service.identity), { service, destinations: undefined }]),
    ),
    broadcasts: new Set(broadcasts.map(formatAddress)),
  };
  for (const edit of edits) edit(draft);
  return { services: Array.from(draft.services.values(), finished) };
}

/** An identity is asked for its key again and again, wherever services are compared. */
const keys = new WeakMap<ServiceIdentity, string>();

export function serviceKey(identity: ServiceIdentity): string {
  const known = keys.get(identity);
  if (known !== undefined) return known;
  const key = formatIdentity(identity);
  keys.set(identity, key);
  return key;
}

function formatIdentity(identity: ServiceIdentity): string {
  return identity.kind === 'mark'
    ? `mark ${identity.mark} ${identity.family}`
    : `${identity.protocol} ${formatEndpoint(identity.vip, identity.port)}`;
}

export function destinationKey({ rip, port }: DestinationIdentity): string {
  return formatEndpoint(rip, port);
}

/** What an error is about (FairleadError's subject) that concerns one destination; of a service it is the service's key. */
export function destinationSubject(service: ServiceIdentity, destination: DestinationIdentity): string {
  return `${serviceKey(service)} ${destinationKey(destination)}`;
}

export function serviceFamily(identity: ServiceIdentity): 4 | 6 {
  return identity.kind === 'mark' ? identity.family : identity.vip.family;
}

export function findService<S extends { readonly identity: ServiceIdentity }>(
  services: readonly S[],
  identity: ServiceIdentity,
): S | undefined {
  const key = serviceKey(identity);
  return services.find((service) => serviceKey(service.identity) === key);
}

export function addService(settings: ServiceSettings): Edit {
  return ({ services }) => {
    const { identity } = settings;
    const key = serviceKey(identity);
    if (services.has(key)) throw failure('service-exists', `service ${key} is there already`);
    if (identity.kind === 'address') checkPort(identity.port);
    services.set(key, { service: toService(settings, [], []), destinations: undefined });
  };
}

/** Replaces what -A sets. Destinations and local addresses stay. */
export function editService(settings: ServiceSettings): Edit {
  return (draft) => {
    const found = getService(draft, settings.identity, 'service-missing');
    found.service = toService(settings, found.service.localAddresses, found.service.destinations);
  };
}

export function deleteService(identity: ServiceIdentity): Edit {
  return ({ services }) => {
    const key = serviceKey(identity);
    if (!services.delete(key)) throw failure('service-missing', `there is no service ${key}`);
  };
}

export function clearTable(): Edit {
  return ({ services }) => services.clear();
}

/** Changes nothing; fails where there is no such service. */
export function requireService(identity: ServiceIdentity): Edit {
  return (draft) => void getService(draft, identity, 'service-missing');
}

/** Puts the destination at the head of the service's list, where schedulers meet it first. */
export function addDestination(identity: ServiceIdentity, destination: Destination): Edit {
  return (draft) => {
    const found = getService(draft, identity, 'service-undefined');
    checkDestination(identity, destination);
    const destinations = destinationsOf(found);
    const key = destinationKey(destination);
    if (destinations.has(key))
      throw failure('destination-exists', `service ${serviceKey(identity)} has ${key} already`);
    if (!isUsable(draft, destination.rip)) throw unusable(destination.rip);
    destinations.set(key, destination);
  };
}

/** Replaces all but its identity; the place in the list stays. */
export function editDestination(identity: ServiceIdentity, destination: Destination): Edit {
  return (draft) => {
    const found = getService(draft, identity, 'service-undefined');
    checkDestination(identity, destination);
    const destinations = destinationsOf(found);
    const key = destinationKey(destination);
    if (!destinations.has(key)) throw missingDestination(identity, key);
    destinations.set(key, destination);
  };
}

export function deleteDestination(identity: ServiceIdentity, destination: DestinationIdentity): Edit {
  return (draft) => {
    const found = getService(draft, identity, 'service-undefined');
    const key = destinationKey(destination);
    if (!destinationsOf(found).delete(key)) throw missingDestination(identity, key);
  };
}

export function addLocalAddress(identity: ServiceIdentity, address: Address): Edit {
  return (draft) => {
    const found = getService(draft, identity, 'service-undefined');
    const { localAddresses } = found.service;
    if (localAddresses.some((present) => equalAddresses(present, address))) {
      throw failure('local-address-exists', `service ${serviceKey(identity)} has ${formatAddress(address)} already`);
    }
    if (!isUsable(draft, address)) {
      throw failure(
        'address-unusable',
        `${formatAddress(address)} can't be a local address of ${serviceKey(identity)}`,
      );
    }
    found.service = { ...found.service, localAddresses: [...localAddresses, address] };
  };
}

export function deleteLocalAddress(identity: ServiceIdentity, address: Address): Edit {
  return (draft) => {
    const found = getService(draft, identity, 'service-undefined');
    const kept = found.service.localAddresses.filter((present) => !equalAddresses(present, address));
    if (kept.length === found.service.localAddresses.length) {
      throw failure('local-address-missing', `service ${serviceKey(identity)} has no ${formatAddress(address)}`);
    }
    found.service = { ...found.service, localAddresses: kept };
  };
}

export function toScheduler(name: string): Scheduler {
  const scheduler = schedulers.find((known) => known === name);
  if (scheduler === undefined) {
    throw failure(
      'scheduler-unknown',
      `expected a scheduler out of ${schedulers.join(', ')}, got ${JSON.stringify(name)}`,
    );
  }
  return scheduler;
}

function toService(
  { scheduler, schedulerFlags, ...settings }: ServiceSettings,
  localAddresses: Service['localAddresses'],
  destinations: Service['destinations'],
): Service {
  const known = toScheduler(scheduler);
  checkEngine(settings.persistenceEngine);
  const flags = schedulerFlagNames(known, schedulerFlagBits(schedulerFlags));
  return {
    ...settings,
    scheduler: known,
    ...(flags.length === 0 ? {} : { schedulerFlags: flags }),
    localAddresses,
    destinations,
  };
}

function checkEngine(name: string | undefined): void {
  if (name === undefined || persistenceEngines.some((known) => known === name)) return;
  throw failure(
    'scheduler-unknown',
    `expected a persistence engine out of ${persistenceEngines.join(', ')}, got ${JSON.stringify(name)}`,
  );
}

function getService(draft: Draft, identity: ServiceIdentity, code: ErrorCode): DraftService {
  const found = draft.services.get(serviceKey(identity));
  if (found === undefined) throw failure(code, `there is no service ${serviceKey(identity)}`);
  return found;
}

function destinationsOf(found: DraftService): Map<string, Destination> {
  found.destinations ??= new Map(
    found.service.destinations.toReversed().map((known) => [destinationKey(known), known]),
  );
  return found.destinations;
}

function finished({ service, destinations }: DraftService): Service {
  return destinations === undefined ? service : { ...service, destinations: [...destinations.values()].reverse() };
}

/** What can be told of a destination without the rest of its service and without the host. */
export function checkNewDestination(identity: ServiceIdentity, destination: Destination): void {
  checkDestination(identity, destination);
  if (!isUnicast(destination.rip)) throw unusable(destination.rip);
}

function unusable(rip: Address): FairleadError {
  return failure('address-unusable', `${formatAddress(rip)} is no unicast address: it can't be a real server`);
}

/** Another address family than the service's is possible in a tunnel, which wraps one in the other, and by full NAT. */
function checkDestination(identity: ServiceIdentity, destination: Destination): void {
  const { rip, port, method, weight, upperThreshold = 0, lowerThreshold = 0 } = destination;
  if (rip.family !== serviceFamily(identity) && method !== 'tunnel' && method !== 'fullnat') {
    throw failure('address-unusable', `${formatAddress(rip)} is of another family than ${serviceKey(identity)}`);
  }
  if (!Number.isInteger(weight) || weight < 0 || weight > 2147483647) {
    throw failure('out-of-range', `expected a weight from 0 to 2147483647, got ${weight}`);
  }
  if (lowerThreshold > upperThreshold) {
    throw failure('out-of-range', `the lower threshold ${lowerThreshold} is above the upper ${upperThreshold}`);
  }
  checkPort(port);
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw failure('out-of-range', `expected a port from 0 to 65535, got ${port}`);
  }
}

function isUsable({ broadcasts }: Draft, address: Address): boolean {
  return isUnicast(address) && !(broadcasts.size > 0 && broadcasts.has(formatAddress(address)));
}

function missingDestination(identity: ServiceIdentity, key: string): FairleadError {
  return failure('destination-missing', `service ${serviceKey(identity)} has no destination ${key}`);
}

function failure(code: ErrorCode, message: string): FairleadError {
  return new FairleadError(code, message);
}
