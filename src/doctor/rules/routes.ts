// Ways out of this machine that are not there, or that throw away what goes by them.
import { formatAddress } from '../../model/address.ts';
import type { Problem } from '../problem.ts';
import { type DirectorFacts, downInterfaces, ipOf, unknownRouter, type Ward } from '../ward.ts';

/** More clients than these say nothing new, and each is a question to the kernel. */
const mostClients = 64;

export function routes({ director, network, system }: Ward): readonly Problem[] {
  // With an interface that is down its routes are gone: that is told, and comes first.
  if (director === undefined || downInterfaces(system).length > 0) return [];
  const rips = director.services.flatMap(({ destinations }) => destinations.map(({ rip }) => formatAddress(rip)));
  return [
    ...lost([...new Set(rips)], network, (rip, refusal) => ({
      wrong: `there is no way from this director to the real server ${rip}`,
      why: 'every method: what clients send it is dropped here',
      mend: refusal === undefined ? `${ipOf(rip)} route add ${rip} via ${unknownRouter}` : undefined,
    })),
    ...lost(clientsAnsweredHere(director), network, (client, refusal) => ({
      wrong: `there is no way from this director to the client ${client}`,
      why: 'masq and fullnat: answers of real servers come by this director, and are dropped here',
      mend: refusal === undefined ? `${ipOf(client)} route add default via ${unknownRouter}` : undefined,
    })),
  ];
}

/** With gate and tunnel it is real servers that answer clients. */
function clientsAnsweredHere({ connections }: DirectorFacts): readonly string[] {
  const found = new Set<string>();
  for (const { method, client, isTemplate } of connections) {
    if (isTemplate || (method !== 'masq' && method !== 'fullnat')) continue;
    found.add(formatAddress(client.address));
    if (found.size === mostClients) break;
  }
  return [...found];
}

type Words = (
  address: string,
  refusal: string | undefined,
) => Pick<Problem, 'wrong' | 'why'> & { readonly mend?: string | undefined };

/** One problem for all that one command mends. */
function lost(addresses: readonly string[], network: Ward['network'], words: Words): readonly Problem[] {
  const byCommand = new Map<string, Problem>();
  for (const address of addresses) {
    if (network.isReachable(address)) continue;
    const refusal = network.refusalOf(address);
    const { wrong, why, mend = `${ipOf(address)} route del ${refusal}` } = words(address, refusal);
    const evidence =
      refusal === undefined
        ? `\`ip route get ${address}\` names no way`
        : `\`ip route get ${address}\` is refused, by the route ${refusal}`;
    if (!byCommand.has(mend))
      byCommand.set(mend, { id: 'no-route', wrong, why, evidence, mend: { command: mend, isSafe: false } });
  }
  return [...byCommand.values()];
}
