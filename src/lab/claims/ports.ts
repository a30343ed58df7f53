// Where the director maps ports (nat-2, fullnat-3) and where it can't (dr-3, tun-4).
import { listServices } from '../director.ts';
import { addressOf } from '../plan.ts';
import { mappedPort, realHttpPort } from '../plans/addresses.ts';
import type { Exchange, Scene } from '../scene.ts';
import { at, endsOf, requestTrip, synTrip } from '../trip.ts';
import {
  appears,
  askEach,
  type Condition,
  formatPacket,
  outcome,
  type Proof,
  proof,
  refusalMs,
  unanswered,
} from './claim.ts';

export async function mapsPorts(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const exchange of await askEach(scene)) conditions.push(await arrivesMapped(scene, exchange));
  return proof(conditions);
}

async function arrivesMapped(scene: Scene, exchange: Exchange): Promise<Condition> {
  const { question, answer } = exchange;
  if (answer === undefined) return unanswered(exchange);
  const service = scene.plan.services.find(
    ({ protocol, port }) => protocol === question.protocol && port === question.port,
  );
  const wanted = service?.realPort;
  const arrived = await appears(scene, () => at(requestTrip(scene, exchange), answer.realServer, 'in'));
  return [
    wanted !== question.port &&
      answer.port === wanted &&
      arrived !== undefined &&
      endsOf(arrived.body)?.destinationPort === wanted,
    `${question.protocol} ${question.to}:${question.port} was ${outcome(exchange)} on port ${answer.port} (${formatPacket(arrived)} on its wire)`,
  ];
}

/** rs1 listens on the port that was asked for, and yet the packet arrives with the VIP's. */
export async function mapsNoPorts(scene: Scene): Promise<Proof> {
  const rip = addressOf(scene.plan, 'rs1');
  const service = `${scene.plan.vip}:${mappedPort}`;
  const listing = await listServices(scene.namespace('director'), ['-t', service], scene.signal);
  const installed = new RegExp(`-> (${rip}:\\d+)`).exec(listing)?.[1] ?? 'nothing';
  const exchange = await scene.ask({ port: mappedPort, timeoutMs: refusalMs });
  const direct = await scene.ask({ to: rip, port: realHttpPort });
  const syn = await appears(scene, () => at(synTrip(scene, exchange), 'rs1', 'in'));
  return proof([
    [installed === `${rip}:${mappedPort}`, `-t ${service} -r ${rip}:${realHttpPort} was installed as ${installed}`],
    [
      syn !== undefined && endsOf(syn.body)?.destinationPort === mappedPort,
      `the SYN came to rs1 as ${formatPacket(syn)}`,
    ],
    [exchange.answer === undefined, `the request was ${outcome(exchange)}`],
    [direct.answer !== undefined, `asked at ${rip}:${realHttpPort} itself, rs1 answered`],
  ]);
}
