// LVS-FULLNAT's rules: the director is the real servers' client, and nothing is asked of them.
import { addressOf, hostNamed, hostOfMac } from '../plan.ts';
import type { Scene } from '../scene.ts';
import { at, endsOf, replyTrip, requestTrip } from '../trip.ts';
import { anySystemWillDo } from './anyos.ts';
import {
  askEach, captureLagMs, formatEnds, macOfGateway, mapsPorts, outcome, passesBothWays, proof, type Claim, type Proof,
} from './claim.ts';

export const fullnatClaims: readonly Claim[] = [
  { id: 'fullnat-1', title: 'the RS sees the DIP as source', prove: seesDirector },
  { id: 'fullnat-2', title: 'the RS is in another network and its gateway is not the director', prove: otherNetwork },
  { id: 'fullnat-3', title: 'ports are mapped', prove: mapsPorts },
  { id: 'fullnat-4', title: 'request and reply both pass the director', prove: passesBothWays },
  { id: 'fullnat-5', title: 'an RS of any OS will do: no VIP, no tunnel, no setting', prove: anySystemWillDo },
];

async function seesDirector(scene: Scene): Promise<Proof> {
  const dip = addressOf(scene.plan, 'director');
  const conditions: [boolean, string][] = [];
  for (const exchange of await askEach(scene)) {
    const { question, answer } = exchange;
    const server = answer?.realServer ?? 'rs1';
    const arrivals = (): ReturnType<typeof at> => at(requestTrip(scene, exchange), server, 'in');
    await scene.wire.until(() => arrivals().length > 0, captureLagMs, scene.signal);
    const arrived = arrivals()[0];
    const ends = arrived && endsOf(arrived.body);
    conditions.push([
      answer?.peer === dip && ends?.source === dip,
      answer
        ? `${question.protocol} from ${addressOf(scene.plan, 'client')}:${question.localPort}: ${server} saw ${answer.peer}:${answer.peerPort} (${formatEnds(ends)} on its wire)`
        : `a ${question.protocol} request was ${outcome(exchange)}`,
    ]);
  }
  return proof(conditions);
}

async function otherNetwork(scene: Scene): Promise<Proof> {
  const conditions: [boolean, string][] = [];
  const directorNetworks = hostNamed(scene.plan, 'director').legs.map(({ segment }) => segment);
  for (const exchange of (await askEach(scene)).slice(0, 3)) {
    const server = exchange.answer?.realServer;
    if (server === undefined) {
      conditions.push([false, `a request was ${outcome(exchange)}`]);
      continue;
    }
    const sent = (): ReturnType<typeof at> => at(replyTrip(scene, exchange), server, 'out');
    await scene.wire.until(() => sent().length > 0, captureLagMs, scene.signal);
    const { stdout } = await scene.inside(server, 'ip', 'route', 'show', 'default');
    const leg = hostNamed(scene.plan, server).legs[0];
    const to = sent()[0]?.destination ?? '';
    conditions.push([
      leg !== undefined && !directorNetworks.includes(leg.segment) && to === macOfGateway(scene, server),
      `${server} ${leg?.address} (\`${stdout.trim()}\`) answered through ${to} (${hostOfMac(scene.plan, to)}); the director is ${addressOf(scene.plan, 'director')}`,
    ]);
  }
  return proof(conditions);
}
