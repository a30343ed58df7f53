// LVS-FULLNAT's rules: the director is the real servers' client, and nothing is asked of them.
import { addressOf, hostNamed, hostOfMac } from '../plan.ts';
import type { Exchange, Scene } from '../scene.ts';
import { at, endsOf, replyTrip, requestTrip } from '../trip.ts';
import { anySystemWillDo } from './anyos.ts';
import {
  appears,
  askEach,
  type Claim,
  type Condition,
  formatPacket,
  macOfGateway,
  type Proof,
  proof,
  unanswered,
} from './claim.ts';
import { passesBothWays } from './passing.ts';
import { mapsPorts } from './ports.ts';

export const fullnatClaims: readonly Claim[] = [
  { id: 'fullnat-1', title: 'the RS sees the DIP as source', prove: (scene) => proveEach(scene, seesDirector) },
  {
    id: 'fullnat-2',
    title: 'the RS is in another network and its gateway is not the director',
    prove: (scene) => proveEach(scene, isElsewhere),
  },
  { id: 'fullnat-3', title: 'ports are mapped', prove: mapsPorts },
  { id: 'fullnat-4', title: 'request and reply both pass the director', prove: passesBothWays },
  { id: 'fullnat-5', title: 'an RS of any OS will do: no VIP, no tunnel, no setting', prove: anySystemWillDo },
];

type Check = (scene: Scene, exchange: Exchange, server: string) => Promise<Condition>;

async function proveEach(scene: Scene, check: Check): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const exchange of await askEach(scene)) {
    const server = exchange.answer?.realServer;
    conditions.push(server === undefined ? unanswered(exchange) : await check(scene, exchange, server));
  }
  return proof(conditions);
}

async function seesDirector(scene: Scene, exchange: Exchange, server: string): Promise<Condition> {
  const { question, answer } = exchange;
  const dip = addressOf(scene.plan, 'director');
  const arrived = await appears(scene, () => at(requestTrip(scene, exchange), server, 'in'));
  const from = `${question.protocol} from ${addressOf(scene.plan, 'client')}:${question.localPort}`;
  return [
    answer?.peer === dip && arrived !== undefined && endsOf(arrived.body)?.source === dip,
    `${from}: ${server} saw ${answer?.peer}:${answer?.peerPort} (${formatPacket(arrived)} on its wire)`,
  ];
}

async function isElsewhere(scene: Scene, exchange: Exchange, server: string): Promise<Condition> {
  const directorSegments = hostNamed(scene.plan, 'director').legs.map(({ segment }) => segment);
  const segments = hostNamed(scene.plan, server).legs.map(({ segment }) => segment);
  const { stdout } = await scene.inside(server, 'ip route show default');
  const to = (await appears(scene, () => at(replyTrip(scene, exchange), server, 'out')))?.destination ?? '';
  return [
    !segments.some((segment) => directorSegments.includes(segment)) && to === macOfGateway(scene, server),
    [
      `the director is ${addressOf(scene.plan, 'director')}, ${server} ${addressOf(scene.plan, server)} (${stdout.trim()})`,
      `which sent its ${exchange.question.protocol} answer to ${to} (${hostOfMac(scene.plan, to)})`,
    ].join(', '),
  ];
}
