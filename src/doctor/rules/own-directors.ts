// On a real server of full NAT: the ways to the directors, whom it answers.
import { readJournal } from '../../realserver/journal.ts';
import type { Problem } from '../problem.ts';
import { downInterfaces, ipOf, unknownRouter, type Ward } from '../ward.ts';
import { addressless, lost, lostGateways } from '../ways.ts';

export async function ownDirectors(ward: Ward): Promise<readonly Problem[]> {
  const { vips, director, network, system } = ward;
  if (director !== undefined || vips.length === 0 || downInterfaces(system).length > 0) return [];
  const all = believed();
  const families = new Set(all.filter((to) => !network.isReachable(to)).map((to) => to.includes(':')));
  const none = [...families].flatMap((isSix) => addressless(isSix, system) ?? []);
  if (none.length > 0) return none;
  const journeys = all.map((to) => ({ to }));
  return [
    ...lost(journeys, network, (to, refusal) => ({
      wrong: `there is no way from this real server to the director ${to}`,
      why: 'fullnat: answers go to clients by way of the director',
      mend: refusal === undefined ? `${ipOf(to)} route add ${to} via ${unknownRouter}` : undefined,
    })),
    ...(await lostGateways(journeys, ward)),
  ];
}

/** Those of one address: of a network nobody knows which ones there are. */
export function believed(): readonly string[] {
  const directors = readJournal().changes.flatMap((change) => (change.kind === 'director' ? [change.director] : []));
  return directors.filter((one) => !one.includes('/'));
}
