// A neighbour that somebody has written down, and that is somebody else by now: the kernel asks nobody about it.
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';
import { wrongNeighbour } from '../ways.ts';

/** Of real servers on this link: of gateways ways.ts asks. */
export function neighbours({ director }: Ward): readonly Problem[] {
  const told = new Map<string, Problem>();
  for (const { way, rip, mac, answeredMac } of director?.findings ?? []) {
    if (way === undefined || way.gateway !== undefined || answeredMac === undefined || mac === answeredMac) continue;
    told.set(`${rip} ${way.interface.name}`, wrongNeighbour(rip, way.interface.name, mac, answeredMac));
  }
  return [...told.values()];
}
