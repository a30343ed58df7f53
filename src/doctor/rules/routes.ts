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
  const own = new Set(system.addresses.map(({ address }) => address));
  return [
    ...lost(
      [...new Set(rips)].map((rip) => ({ to: rip })),
      network,
      (rip, refusal) => ({
        wrong: `there is no way from this director to the real server ${rip}`,
        why: 'every method: what clients send it is dropped here',
        mend: refusal === undefined ? `${ipOf(rip)} route add ${rip} via ${unknownRouter}` : undefined,
      }),
    ),
    ...lost(answersFrom(director, own), network, (client, refusal) => ({
      wrong: `there is no way from this director to the client ${client}`,
      why: 'masq and fullnat: answers of real servers come by this director, and are dropped here',
      mend: refusal === undefined ? `${ipOf(client)} route add default via ${unknownRouter}` : undefined,
    })),
  ];
}

interface Journey {
  readonly to: string;
  /** Answers come from the VIP, and rules may route them by it. */
  readonly from?: string;
}

/** With gate and tunnel it is real servers that answer clients. */
function answersFrom({ connections }: DirectorFacts, own: ReadonlySet<string>): readonly Journey[] {
  const found = new Map<string, Journey>();
  for (const { method, client, virtual, isTemplate } of connections) {
    if (isTemplate || (method !== 'masq' && method !== 'fullnat')) continue;
    const [to, from] = [formatAddress(client.address), formatAddress(virtual.address)];
    // The kernel answers for an address that is its own alone.
    found.set(`${to} ${from}`, own.has(from) ? { to, from } : { to });
    if (found.size === mostClients) break;
  }
  return [...found.values()];
}

type Words = (
  address: string,
  refusal: string | undefined,
) => Pick<Problem, 'wrong' | 'why'> & { readonly mend?: string | undefined };

/** One problem for all that one command mends. */
function lost(journeys: readonly Journey[], network: Ward['network'], words: Words): readonly Problem[] {
  const byCommand = new Map<string, Problem>();
  for (const { to, from } of journeys) {
    if (network.isReachable(to, from)) continue;
    const refusal = network.refusalOf(to);
    const { wrong, why, mend = `${ipOf(to)} route del ${refusal}` } = words(to, refusal);
    const asked = `\`ip route get ${to}${from === undefined ? '' : ` from ${from}`}\``;
    const evidence = refusal === undefined ? `${asked} names no way` : `${asked} is refused, by the route ${refusal}`;
    if (!byCommand.has(mend))
      byCommand.set(mend, { id: 'no-route', wrong, why, evidence, mend: { command: mend, isSafe: false } });
  }
  return [...byCommand.values()];
}
