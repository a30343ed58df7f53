// Who has connections where, as the director's table has it: those in whose names real servers can be asked.
import { type Address, formatAddress } from '../model/address.ts';
import type { Connection } from '../model/director.ts';

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
