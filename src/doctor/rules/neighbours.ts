// A neighbour that somebody has written down, and that is somebody else by now: the kernel asks nobody about it.
import type { Problem } from '../problem.ts';
import { question, type Ward } from '../ward.ts';

/** Of real servers on this link: of gateways routes.ts asks. */
export function neighbours({ director }: Ward): readonly Problem[] {
  const told = new Map<string, Problem>();
  for (const { way, rip, mac, answeredMac } of director?.findings ?? []) {
    if (way === undefined || way.gateway !== undefined || answeredMac === undefined || mac === answeredMac) continue;
    told.set(`${rip} ${way.interface.name}`, wrongNeighbour(rip, way.interface.name, mac, answeredMac));
  }
  return [...told.values()];
}

export function wrongNeighbour(address: string, name: string, written?: string, answered?: string): Problem {
  return {
    id: 'wrong-neighbour',
    wrong: `packets for ${address} go to the MAC ${written}, which it has not`,
    why: 'every method: whoever has that MAC gets its packets, or nobody',
    evidence: `\`ip neigh\` has a permanent entry; by ${question(address)} ${answered} answered`,
    mend: { command: `ip neigh del ${address} dev ${name}`, isSafe: false },
  };
}
