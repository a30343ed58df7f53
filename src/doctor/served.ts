// Real servers that let nobody in but the clients that they know: what they keep from the director they may well answer to those.
import { type Address, formatAddress } from '../model/address.ts';
import type { Connection } from '../model/director.ts';
import { type Finding, knockAs } from './probe.ts';
import type { Ward } from './ward.ts';

/** One may have gone since, or be behind a firewall that keeps it silent. */
const mostClients = 3;

/** By real server, some of those that have connections of TCP there; once, for there may be many connections. `own`: this machine's addresses. */
export function findClients(
  connections: readonly Connection[],
  own: ReadonlySet<string>,
): ReadonlyMap<string, readonly Address[]> {
  const found = new Map<string, Map<string, Address>>();
  for (const { protocol, isTemplate, client, destination } of connections) {
    if (protocol !== 'tcp' || isTemplate || client.address.family !== destination.address.family) continue;
    const rip = formatAddress(destination.address);
    const clients = found.get(rip) ?? new Map<string, Address>();
    found.set(rip, clients);
    if (clients.size === mostClients) continue;
    const text = formatAddress(client.address);
    if (!own.has(text)) clients.set(text, client.address);
  }
  return new Map([...found].map(([rip, clients]) => [rip, [...clients.values()]]));
}

/** Is one of its clients answered at this moment? */
export async function servesClients(finding: Finding, { director, wire }: Ward): Promise<boolean> {
  const { destination, service, rip } = finding;
  if (destination.method === 'fullnat' || service.identity.kind !== 'address') return false;
  const clients = director?.clients.get(rip) ?? [];
  const outcomes = await Promise.all(clients.map((client) => knockAs(finding, client, wire)));
  // By masq it is the real server that refuses, by gate and tunnel the client, which has got its answer.
  return outcomes.includes(destination.method === 'masq' ? 'accepted' : 'refused');
}
