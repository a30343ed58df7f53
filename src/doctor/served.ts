// Real servers that let nobody in but the clients that they know: what they keep from the director they may well answer to those.
import { parseAddress } from '../model/address.ts';
import { knockAs } from './in-name.ts';
import type { Finding } from './probe.ts';
import type { Ward } from './ward.ts';

/** Is one of its clients answered at this moment? */
export async function servesClients(finding: Finding, { director, asked, wire }: Ward): Promise<boolean> {
  const { destination, service, rip } = finding;
  if (destination.method === 'fullnat' || service.identity.kind !== 'address') return false;
  const named = asked.clients.map(parseAddress).filter(({ family }) => family === destination.rip.family);
  const clients = [...named, ...(director?.clients.get(rip) ?? [])];
  const outcomes = await Promise.all(clients.map((client) => knockAs(finding, client, wire)));
  // By masq it is the real server that refuses, by gate and tunnel the client, which has got its answer.
  return outcomes.includes(destination.method === 'masq' ? 'accepted' : 'refused');
}
