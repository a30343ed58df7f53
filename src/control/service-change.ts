// One service as it is there and as it is desired: what will be there, and what that changes. Pure.
import { equalAddresses, formatAddress } from '../model/address.ts';
import { formatRange } from '../model/mark.ts';
import type { Destination, Service, ServiceIdentity } from '../model/service.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import type { DesiredService } from './desired.ts';

export interface FieldChange {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

export type DestinationChange =
  | {
      readonly action: 'add' | 'remove';
      readonly destination: string;
      readonly fields: Readonly<Record<string, string>>;
    }
  | { readonly action: 'change'; readonly destination: string; readonly fields: readonly FieldChange[] };

export type ServiceChange =
  | {
      readonly action: 'add' | 'remove';
      readonly service: string;
      readonly fields: Readonly<Record<string, string>>;
      readonly destinations: readonly DestinationChange[];
    }
  | {
      readonly action: 'change';
      readonly service: string;
      /** Nobody has declared it before: a command added it, and from now on it is the configuration's. */
      readonly isAdopted: boolean;
      readonly fields: readonly FieldChange[];
      readonly destinations: readonly DestinationChange[];
    };

export function addedService(service: DesiredService): ServiceChange {
  const destinations = service.destinations.map((one) => wholeDestination('add', destinationKey(one), one));
  return { action: 'add', service: label(service.identity), fields: serviceFields(service), destinations };
}

export function removedService(service: Service): ServiceChange {
  const destinations = service.destinations
    .toReversed()
    .map((one) => wholeDestination('remove', destinationKey(one), one));
  return { action: 'remove', service: label(service.identity), fields: serviceFields(service), destinations };
}

/** Destinations that stay keep their places; new ones come as if they were added one after another. */
export function mergedService(
  present: Service,
  desired: DesiredService,
  isAdopted: boolean,
): { merged: Service; change: ServiceChange | undefined } {
  if (!isAdopted && isAsDesired(present, desired)) {
    knownAsDesired.set(desired, present);
    return { merged: present, change: undefined };
  }
  const destinations: DestinationChange[] = [];
  const left = new Map(desired.destinations.map((one) => [destinationKey(one), one]));
  const kept: Destination[] = [];
  for (const one of present.destinations) {
    const name = destinationKey(one);
    const wanted = left.get(name);
    left.delete(name);
    if (wanted === undefined) {
      destinations.push(wholeDestination('remove', name, one));
      continue;
    }
    kept.push(isSameDestination(one, wanted) ? one : wanted);
    if (kept.at(-1) === wanted && wanted !== one)
      destinations.push({
        action: 'change',
        destination: name,
        fields: fieldChanges(destinationFields(one), destinationFields(wanted)),
      });
  }
  for (const [name, one] of left) destinations.push(wholeDestination('add', name, one));
  const isSame = isSameService(present, desired);
  if (isSame && destinations.length === 0 && !isAdopted) return { merged: present, change: undefined };
  const fields = isSame ? [] : fieldChanges(serviceFields(present), serviceFields(desired));
  return {
    merged: { ...desired, destinations: [...[...left.values()].reverse(), ...kept] },
    change: { action: 'change', service: label(present.identity), isAdopted, fields, destinations },
  };
}

/** `tcp 192.0.2.10:80`, `mark 7`, `mark 7 ipv6`. */
function label(identity: ServiceIdentity): string {
  if (identity.kind === 'address') return serviceKey(identity);
  return `mark ${identity.mark}${identity.family === 6 ? ' ipv6' : ''}`;
}

function wholeDestination(action: 'add' | 'remove', name: string, destination: Destination): DestinationChange {
  return { action, destination: name, fields: destinationFields(destination) };
}

function fieldChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly FieldChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((name) => ({ name, before: before[name] ?? 'none', after: after[name] ?? 'none' }))
    .filter((field) => field.before !== field.after);
}

/** By the names of the configuration. */
function serviceFields(service: Omit<Service, 'destinations'>): Readonly<Record<string, string>> {
  const { scheduler, schedulerFlags, persistence, persistenceEngine, onePacket, mssClamp, uoa, onRemove } = service;
  const { localAddresses } = service;
  return {
    scheduler,
    ...(schedulerFlags?.length && { scheduler_flags: schedulerFlags.toSorted().join(',') }),
    ...(persistence && {
      persistence: `${persistence.timeoutS}s`,
      ...(isWhole(persistence.mask.bytes) ? {} : { mask: maskText(persistence.mask) }),
    }),
    ...(persistenceEngine !== undefined && { engine: persistenceEngine }),
    ...(onePacket && { one_packet: 'true' }),
    ...(mssClamp !== undefined && { mss_clamp: `${mssClamp}` }),
    ...(uoa !== undefined && { uoa }),
    ...(onRemove !== undefined && onRemove !== 'keep' && { on_remove: onRemove }),
    ...(localAddresses.length > 0 && { local_addresses: localAddresses.map(formatAddress).join(',') }),
  };
}

function destinationFields(destination: Destination): Readonly<Record<string, string>> {
  const { method, weight, upperThreshold, lowerThreshold, tunnel } = destination;
  return {
    method,
    weight: `${weight}`,
    ...(upperThreshold && { upper_threshold: `${upperThreshold}` }),
    ...(lowerThreshold && { lower_threshold: `${lowerThreshold}` }),
    ...(tunnel && tunnel.type !== 'ipip' && { tunnel: tunnelText(tunnel) }),
  };
}

function tunnelText({ type, port, checksum }: NonNullable<Destination['tunnel']>): string {
  return [type, ...(port === 0 ? [] : [`port ${port}`]), ...(checksum === 'none' ? [] : [`${checksum} checksum`])].join(
    ' ',
  );
}

function isWhole(bytes: readonly number[]): boolean {
  return bytes.every((byte) => byte === 255);
}

/** As a prefix of nothing: `/24`, or a mask that is none. */
function maskText(mask: NonNullable<Service['persistence']>['mask']): string {
  const zero = { family: mask.family, bytes: mask.bytes.map(() => 0) };
  return formatRange({ address: zero, mask }).replace(/^.*\//, '/');
}

/** What each desired service was last found to be already. Neither changes, so there is nothing to compare when both come again. */
const knownAsDesired = new WeakMap<DesiredService, Service>();

/** Without looking any up: those of a service that nobody touched are in the order in which they were added. */
function isAsDesired(present: Service, desired: DesiredService): boolean {
  if (knownAsDesired.get(desired) === present) return true;
  const last = present.destinations.length - 1;
  return (
    desired.destinations.length === present.destinations.length &&
    desired.destinations.every((wanted, index) => {
      const one = present.destinations[last - index];
      return one?.port === wanted.port && equalAddresses(one.rip, wanted.rip) && isSameDestination(one, wanted);
    }) &&
    isSameService(present, desired)
  );
}

function isSameService(a: Omit<Service, 'destinations'>, b: Omit<Service, 'destinations'>): boolean {
  return (
    a.scheduler === b.scheduler &&
    (a.onePacket ?? false) === (b.onePacket ?? false) &&
    a.persistenceEngine === b.persistenceEngine &&
    a.mssClamp === b.mssClamp &&
    a.uoa === b.uoa &&
    (a.onRemove ?? 'keep') === (b.onRemove ?? 'keep') &&
    a.persistence?.timeoutS === b.persistence?.timeoutS &&
    (a.persistence === undefined ||
      b.persistence === undefined ||
      equalAddresses(a.persistence.mask, b.persistence.mask)) &&
    (a.schedulerFlags ?? []).toSorted().join() === (b.schedulerFlags ?? []).toSorted().join() &&
    a.localAddresses.length === b.localAddresses.length &&
    a.localAddresses.every((address, index) => {
      const other = b.localAddresses[index];
      return other !== undefined && equalAddresses(address, other);
    })
  );
}

/** Of two with one RIP and port. */
function isSameDestination(a: Destination, b: Destination): boolean {
  return (
    a.weight === b.weight &&
    a.method === b.method &&
    (a.upperThreshold ?? 0) === (b.upperThreshold ?? 0) &&
    (a.lowerThreshold ?? 0) === (b.lowerThreshold ?? 0) &&
    (a.tunnel === b.tunnel || JSON.stringify(destinationFields(a)) === JSON.stringify(destinationFields(b)))
  );
}
