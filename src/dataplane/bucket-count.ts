// How many buckets a service's scheduler looks destinations up in.
import type { Scheduler } from '../model/service.ts';
import type { Numbers } from './vocabulary.ts';

export type BucketNumbers = Pick<Numbers, 'BUCKETS' | 'MH_BUCKETS'>;

export function bucketCountOf(scheduler: Scheduler, { BUCKETS, MH_BUCKETS }: BucketNumbers): number {
  if (scheduler === 'mh') return MH_BUCKETS;
  return scheduler === 'sh' || scheduler === 'dh' ? BUCKETS : 0;
}
