// What is to be installed now: what is declared, as far as health, operators and slow start let it. Pure.
import type { Declared, DeclaredService } from '../model/declared.ts';
import type { Destination } from '../model/service.ts';
import { destinationKey, destinationSubject, serviceKey } from '../model/table.ts';
import { type Desired, type DesiredService, toDesired, toDesiredService, toDestination } from './desired.ts';
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
  readonly desired: Desired;
  readonly lostQuorums: ReadonlySet<string>;
}

export function toEffective(declared: Declared, circumstances: Circumstances): Effective {
  const lostQuorums = new Set<string>();
  const services = declared.services.map((service) => {
    const key = serviceKey(service.identity);
    const isLost = isQuorumLost(service.quorum, weightUp(service, circumstances), circumstances.wasQuorumLost(key));
    if (isLost) lostQuorums.add(key);
    return effectiveService(service, isLost, circumstances);
  });
  return { desired: { ...toDesired(declared), services }, lostQuorums };
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
