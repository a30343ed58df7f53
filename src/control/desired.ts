// What is to be installed for a declared configuration while everything is well: no health, no overrides. Pure.
import type { Declared, DeclaredDestination, DeclaredService, HeldAddress } from '../model/declared.ts';
import type { Timeouts } from '../model/director.ts';
import type { MarkRules } from '../model/mark.ts';
import type { Destination, Service } from '../model/service.ts';
import type { Settings } from '../model/settings.ts';

export interface Desired {
  readonly services: readonly DesiredService[];
  readonly markRules: MarkRules;
  readonly addresses: readonly HeldAddress[];
  readonly settings: Partial<Settings>;
  readonly timeouts: Partial<Timeouts>;
}

/** Its destinations in the order in which they are added when none of them is there: the kernel has the last one first. */
export type DesiredService = Service;

export function toDesired({ services, markRules, addresses, settings, timeouts }: Declared): Desired {
  return {
    services: services.map((service) =>
      toDesiredService(
        service,
        service.destinations.map((one) => toDestination(one, one.weight)),
      ),
    ),
    markRules,
    addresses,
    settings,
    timeouts,
  };
}

export function toDesiredService(
  {
    onRemove,
    onFailure: _onFailure,
    quorum: _quorum,
    sorryServer: _sorryServer,
    slowStartMs: _slowStartMs,
    notify: _notify,
    destinations: _destinations,
    ...service
  }: DeclaredService,
  destinations: readonly Destination[],
): DesiredService {
  return { ...service, ...(onRemove !== 'keep' && { onRemove }), destinations };
}

/** Member by member: taking three away from a copy costs ten times as much, and there may be 100,000. */
export function toDestination(declared: DeclaredDestination, weight: number): Destination {
  const { rip, port, method, upperThreshold, lowerThreshold, tunnel } = declared;
  const destination: { -readonly [Name in keyof Destination]: Destination[Name] } = { rip, port, method, weight };
  if (upperThreshold !== undefined) destination.upperThreshold = upperThreshold;
  if (lowerThreshold !== undefined) destination.lowerThreshold = lowerThreshold;
  if (tunnel !== undefined) destination.tunnel = tunnel;
  return destination;
}
