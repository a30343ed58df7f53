// The way by which a real server answers: with masq it must be the director, with gate and tunnel it must not.

import { outsiders } from '../../realserver/system.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { servesClients } from '../served.ts';
import { ipOf, unknownRouter, type Ward } from '../ward.ts';
import { isElsewhere } from './other-network.ts';

export async function gateway(ward: Ward): Promise<readonly Problem[]> {
  const byRip = new Map<string, { finding: Finding; problem: Problem }>();
  for (const finding of ward.director?.findings ?? []) {
    const problem = judge(finding, ward);
    if (problem !== undefined && !byRip.has(finding.rip)) byRip.set(finding.rip, { finding, problem });
  }
  const found = await Promise.all(
    [...byRip.values()].map(async ({ finding, problem }) =>
      // Nobody far away is let in, but clients are, whose answers come here.
      problem.id === 'nat-gateway' && (await servesClients(finding, ward)) ? [] : [problem],
    ),
  );
  return found.flat();
}

function judge(finding: Finding, { network, system }: Ward): Problem | undefined {
  const { rip, way, destination, direct, outsider, vip } = finding;
  if (way === undefined || isElsewhere(finding)) return undefined;
  const far = outsiders[destination.rip.family];
  const isAlive = direct === 'accepted' || direct === 'refused';
  // Where another director has the VIP it is the gateway too.
  const isStandby = vip !== '' && !network.isOwn(vip);
  if (destination.method === 'masq' && isAlive && outsider === 'silent' && !isStandby)
    return {
      id: 'nat-gateway',
      wrong: `the gateway of the real server ${rip} is not this director`,
      why: 'masq: its answers must come back here, for clients know only the VIP',
      evidence: `${rip} answers ${way.source}, but its answer to a far address (${far}) did not come here`,
      mend: { command: `${ipOf(rip)} route replace default via ${way.source}`, on: rip, isSafe: false },
    };
  if (destination.method === 'masq' || (outsider !== 'accepted' && outsider !== 'refused')) return undefined;
  const router = system.gateways.find(
    ({ route, address }) =>
      route.startsWith('default ') && address.includes(':') === rip.includes(':') && network.wayTo(address),
  );
  return {
    id: 'dr-gateway',
    wrong: `the gateway of the real server ${rip} is this director`,
    why: `${destination.method}: its answers have the source ${vip}, which is this director's own: the kernel drops them`,
    evidence: `its answer to a far address (${far}) came here, from ${vip}`,
    mend: {
      command: `${ipOf(rip)} route replace default via ${router?.address ?? unknownRouter}`,
      on: rip,
      isSafe: false,
    },
  };
}
