// What is to be installed of a service now: what is declared, as far as health, operators and slow start let it. Pure.
import type { DeclaredDestination, DeclaredService } from '../model/declared.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { type DesiredService, toDesiredService, toDestination } from './desired.ts';
import { isQuorumLost } from './quorum.ts';
import { type Ramping, rampedDestinations } from './ramp.ts';
import type { Standing } from './standing.ts';

/** All by destinationSubject's and serviceKey's texts. */
export interface Circumstances {
  readonly standing: (subject: string, destination: DeclaredDestination) => Standing;
  /** From 0 to 1 of one that is coming back. */
  readonly share: (subject: string) => number | undefined;
  readonly activeConnections: (subject: string) => number;
  readonly wasQuorumLost: (service: string) => boolean;
}

export interface Effective {
  readonly service: DesiredService;
  readonly isQuorumLost: boolean;
}

export function toEffective(service: DeclaredService, circumstances: Circumstances): Effective {
  const key = serviceKey(service.identity);
  const all = service.destinations.map((declared): Known => {
    const subject = `${key} ${destinationKey(declared)}`;
    return { declared, subject, standing: circumstances.standing(subject, declared) };
  });
  const isLost = isQuorumLost(service.quorum, weightUp(all), circumstances.wasQuorumLost(key));
  return { service: effectiveService(service, all, isLost, circumstances), isQuorumLost: isLost };
}

interface Known {
  readonly declared: DeclaredDestination;
  readonly subject: string;
  readonly standing: Standing;
}

function weightUp(all: readonly Known[]): number {
  return all.reduce((sum, { standing: { isUp, isRemoved, weight } }) => (isUp && !isRemoved ? sum + weight : sum), 0);
}

function effectiveService(
  service: DeclaredService,
  all: readonly Known[],
  isLost: boolean,
  { activeConnections, share }: Circumstances,
): DesiredService {
  const { sorryServer } = service;
  const isReplaced = isLost && sorryServer !== undefined;
  const present: Ramping[] = [];
  for (const { declared, subject, standing } of all) {
    const { isUp, isRemoved, weight } = standing;
    if (isRemoved || (!isUp && declared.onFailure === 'remove')) continue;
    const destination = toDestination(declared, isUp && !isReplaced ? weight : 0);
    present.push({
      destination,
      activeConnections: activeConnections(subject),
      share: isUp ? share(subject) : undefined,
    });
  }
  const destinations = rampedDestinations(service.scheduler, present);
  const others = isReplaced ? destinations.filter((one) => destinationKey(one) !== destinationKey(sorryServer)) : [];
  return toDesiredService(service, isReplaced ? [...others, sorryServer] : destinations);
}
