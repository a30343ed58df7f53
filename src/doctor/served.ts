// Real servers that let nobody in but the clients that they know: what they keep from the director they may well answer to those.
import { type Address, formatAddress } from '../model/address.ts';
import { type Finding, knockAs } from './probe.ts';
import type { Ward } from './ward.ts';

/** One may have gone since, or be behind a firewall that keeps it silent. */
const mostClients = 3;

/** Is one of those that have connections there answered, as the table has them at this moment? By TCP. */
export async function servesClients(finding: Finding, { director, system, wire }: Ward): Promise<boolean> {
  const { destination, service, rip } = finding;
  if (destination.method === 'fullnat' || service.identity.kind !== 'address') return false;
  const own = new Set(system.addresses.map(({ address }) => address));
  const clients = new Map<string, Address>();
  for (const one of director?.connections ?? []) {
    const client = formatAddress(one.client.address);
    if (one.protocol !== 'tcp' || one.isTemplate || own.has(client)) continue;
    if (formatAddress(one.destination.address) !== rip || one.client.address.family !== destination.rip.family)
      continue;
    clients.set(client, one.client.address);
    if (clients.size === mostClients) break;
  }
  const outcomes = await Promise.all([...clients.values()].map((client) => knockAs(finding, client, wire)));
  // By masq it is the real server that refuses, by gate and tunnel the client, which has got its answer.
  return outcomes.includes(destination.method === 'masq' ? 'accepted' : 'refused');
}
