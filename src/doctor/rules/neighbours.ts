// A neighbour that somebody has written down, and that is somebody else by now: the kernel asks nobody about it.
import type { Problem } from '../problem.ts';
import { question, type Ward } from '../ward.ts';

export function neighbours({ director }: Ward): readonly Problem[] {
  const told = new Map<string, Problem>();
  for (const { way, rip, mac, answeredMac } of director?.findings ?? []) {
    if (way === undefined || answeredMac === undefined || mac === answeredMac) continue;
    const next = way.gateway ?? rip;
    told.set(`${next} ${way.interface.name}`, {
      id: 'wrong-neighbour',
      wrong: `packets for ${next} go to the MAC ${mac}, which it has not`,
      why: 'every method: whoever has that MAC gets its packets, or nobody',
      evidence: `\`ip neigh\` has a permanent entry; by ${question(next)} ${answeredMac} answered`,
      mend: { command: `ip neigh del ${next} dev ${way.interface.name}`, isSafe: false },
    });
  }
  return [...told.values()];
}
