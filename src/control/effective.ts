// What is to be installed of a service now: what is declared, as far as health, operators and slow start let it. Pure.
import type { DeclaredService } from '../model/declared.ts';
import type { Destination } from '../model/service.ts';
import { destinationKey, destinationSubject, serviceKey } from '../model/table.ts';
import { type DesiredService, toDesiredService, toDestination } from './desired.ts';
import { isQuorumLost } from './quorum.ts';
import { type Ramping, rampedDestinations } from './ramp.ts';
import type { Standing } from './standing.ts';

/** All by destinationSubject's and serviceKey's texts. */
export interface Circumstances {
  readonly standing: (destination: string) => Standing;
  /** From 0 to 1 of one that is coming back. */
  readonly share: (destination: string) => number | undefined;
  readonly activeConnections: (destination: string) => number;
  readonly wasQuorumLost: (service: string) => boolean;
}

export interface Effective {
  readonly service: DesiredService;
  readonly isQuorumLost: boolean;
}

export function toEffective(service: DeclaredService, circumstances: Circumstances): Effective {
  const wasLost = circumstances.wasQuorumLost(serviceKey(service.identity));
  const isLost = isQuorumLost(service.quorum, weightUp(service, circumstances), wasLost);
  return { service: effectiveService(service, isLost, circumstances), isQuorumLost: isLost };
}

function weightUp(service: DeclaredService, { standing }: Circumstances): number {
  return service.destinations.reduce((sum, destination) => {
    const { isUp, isRemoved, weight } = standing(destinationSubject(service.identity, destination));
    return isUp && !isRemoved ? sum + weight : sum;
  }, 0);
}

function effectiveService(service: DeclaredService, isLost: boolean, circumstances: Circumstances): DesiredService {
  const { sorryServer } = service;
  const isReplaced = isLost && sorryServer !== undefined;
  const present = service.destinations.flatMap((declared): readonly Ramping[] => {
    const subject = destinationSubject(service.identity, declared);
    const { isUp, isRemoved, weight } = circumstances.standing(subject);
    if (isRemoved || (!isUp && declared.onFailure === 'remove')) return [];
    const destination: Destination = { ...toDestination(declared), weight: isUp && !isReplaced ? weight : 0 };
    const activeConnections = circumstances.activeConnections(subject);
    return [{ destination, activeConnections, share: isUp ? circumstances.share(subject) : undefined }];
  });
  const destinations = rampedDestinations(service.scheduler, present);
  const others = isReplaced ? destinations.filter((one) => destinationKey(one) !== destinationKey(sorryServer)) : [];
  return { ...toDesiredService(service), destinations: isReplaced ? [...others, sorryServer] : destinations };
}
