// The ways from a director: to real servers, and to clients that are answered by way of it.
import { formatAddress } from '../../model/address.ts';
import type { Method } from '../../model/service.ts';
import type { Problem } from '../problem.ts';
import { type DirectorFacts, downInterfaces, ipOf, unknownRouter, type Ward } from '../ward.ts';
import { type Journey, lost, lostGateways } from '../ways.ts';

/** More clients than these say nothing new, and each is a question to the kernel. */
const mostClients = 64;

export async function routes(ward: Ward): Promise<readonly Problem[]> {
  const { director, network, system } = ward;
  // With an interface that is down its routes are gone: that is told, and comes first.
  if (director === undefined || downInterfaces(system).length > 0) return [];
  const rips = director.services.flatMap(({ destinations }) => destinations.map(({ rip }) => formatAddress(rip)));
  const own = new Set(system.addresses.map(({ address }) => address));
  const isAnsweredHere = director.services.some(({ destinations }) =>
    destinations.some(({ method }) => comesBack(method)),
  );
  const clients = [...answersFrom(director, own), ...(isAnsweredHere ? ward.asked.clients : []).map((to) => ({ to }))];
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
    ...lost(clients, network, (client, refusal) => ({
      wrong: `there is no way from this director to the client ${client}`,
      why: 'masq and fullnat: answers of real servers come by this director, and are dropped here',
      mend: refusal === undefined ? `${ipOf(client)} route add default via ${unknownRouter}` : undefined,
    })),
    ...(await lostGateways([...rips.map((to) => ({ to })), ...clients], ward)),
  ];
}

/** With gate and tunnel it is real servers that answer clients. */
function comesBack(method: Method): boolean {
  return method === 'masq' || method === 'fullnat';
}

function answersFrom({ connections }: DirectorFacts, own: ReadonlySet<string>): readonly Journey[] {
  const found = new Map<string, Journey>();
  for (const { method, client, virtual, isTemplate } of connections) {
    if (isTemplate || !comesBack(method)) continue;
    const [to, from] = [formatAddress(client.address), formatAddress(virtual.address)];
    // The kernel answers for an address that is its own alone.
    found.set(`${to} ${from}`, own.has(from) ? { to, from } : { to });
    if (found.size === mostClients) break;
  }
  return [...found.values()];
}
