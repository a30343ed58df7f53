// Whether the director sees replies: all of them (nat-1, fullnat-4) or none (dr-2, tun-3).
import { hostOfMac } from '../plan.ts';
import type { Exchange, Scene } from '../scene.ts';
import { at, clientEnds, type Ends, endsOf, packets, replyTrip, requestTrip, reversed } from '../trip.ts';
import {
  appears,
  askEach,
  type Condition,
  captureLagMs,
  formatEnds,
  macOfGateway,
  type Proof,
  proof,
  unanswered,
} from './claim.ts';

/** Every packet, there and back, goes in and out of the director. */
export async function passesBothWays(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const exchange of await askEach(scene)) conditions.push(await countBothWays(scene, exchange));
  return proof(conditions);
}

async function countBothWays(scene: Scene, exchange: Exchange): Promise<Condition> {
  const server = exchange.answer?.realServer;
  if (server === undefined) return unanswered(exchange);
  const { protocol } = exchange.question;
  const arrived = await appears(scene, () => at(requestTrip(scene, exchange), server, 'in'));
  const inner = arrived && endsOf(arrived.body);
  if (!inner) return [false, `the ${protocol} request was not seen at ${server}`];

  const outer = clientEnds(scene, exchange);
  const there = (): number[] => [
    packets(scene, 'client', 'out', outer).length,
    packets(scene, 'director', 'in', outer).length,
    packets(scene, 'director', 'out', inner).length,
    packets(scene, server, 'in', inner).length,
  ];
  const back = (): number[] => [
    packets(scene, server, 'out', reversed(inner)).length,
    packets(scene, 'director', 'in', reversed(inner)).length,
    packets(scene, 'director', 'out', reversed(outer)).length,
    packets(scene, 'client', 'in', reversed(outer)).length,
  ];
  const complete = (): boolean =>
    (protocol === 'udp' || (hasFin(scene, outer) && hasFin(scene, reversed(outer)))) &&
    [there(), back()].every(areEqual);
  const holds = await scene.wire.until(complete, captureLagMs, scene.signal);
  const [sent, entered, left, reached] = there();
  const way = `${sent} packets left the client, ${entered} entered and ${left} left the director, ${reached} reached ${server}`;
  return [holds, `${protocol} with ${server}: ${way}, and back ${back().join(', ')}`];
}

/** The director sees what the client sends and nothing of what it gets. */
export async function repliesPassBy(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const exchange of await askEach(scene)) conditions.push(await countReplies(scene, exchange));
  return proof(conditions);
}

async function countReplies(scene: Scene, exchange: Exchange): Promise<Condition> {
  const server = exchange.answer?.realServer;
  if (server === undefined) return unanswered(exchange);
  const there = clientEnds(scene, exchange);
  const back = reversed(there);
  // The captures of one interface are in order: once the director's holds the client's last packet, it would hold a reply.
  const arrived = (): boolean =>
    packets(scene, 'client', 'out', there).length === packets(scene, 'director', 'in', there).length &&
    packets(scene, server, 'out', back).length === packets(scene, 'client', 'in', back).length &&
    replyTrip(scene, exchange).some(({ host }) => host === 'client');
  const complete = await scene.wire.until(arrived, captureLagMs, scene.signal);

  const sent = packets(scene, server, 'out', back);
  const atDirector = packets(scene, 'director', 'in', back).length + packets(scene, 'director', 'out', back).length;
  const gateway = macOfGateway(scene, server);
  const requests = packets(scene, 'director', 'in', there).length;
  return [
    complete && atDirector === 0 && sent.length > 0 && sent.every(({ destination }) => destination === gateway),
    [
      `${exchange.question.protocol} with ${server}: ${requests} packets of the request at the director`,
      `${sent.length} of the reply (${formatEnds(back)}) sent to ${gateway} (${hostOfMac(scene.plan, gateway)})`,
      `${atDirector} of them at the director`,
    ].join(', '),
  ];
}

function areEqual(counts: readonly number[]): boolean {
  return counts.every((count) => count > 0 && count === counts[0]);
}

/** At the client, whichever way it goes. */
function hasFin(scene: Scene, ends: Ends): boolean {
  const seen = [...packets(scene, 'client', 'out', ends), ...packets(scene, 'client', 'in', ends)];
  return seen.some(({ body }) => body.body?.kind === 'tcp' && body.body.flags.fin);
}
