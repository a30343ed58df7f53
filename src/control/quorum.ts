// Whether enough of a service is up. Pure; source: keepalived's update_quorum_state.
import type { Quorum } from '../model/declared.ts';

/** `weight`: of all its destinations that are up. */
export function isQuorumLost({ weight: needed, hysteresis }: Quorum, weight: number, wasLost: boolean): boolean {
  return wasLost ? weight < needed + hysteresis : weight < needed - hysteresis;
}
