// LVS-DR's rules: only the frame's addresses change, so director, real servers and router share one segment and one VIP.
import { addressOf, hostNamed } from '../plan.ts';
import { realHttpPort, realServers } from '../plans/addresses.ts';
import type { Scene } from '../scene.ts';
import { at, clientEnds, packets, requestTrip, synAckTrip, synTrip } from '../trip.ts';
import { answersArp } from './arp.ts';
import {
  appears,
  type Claim,
  type Condition,
  formatMacs,
  formatPacket,
  macOfHost,
  outcome,
  type Proof,
  portOfProof,
  proof,
  refusalMs,
  strands,
  unanswered,
} from './claim.ts';
import { compareHeaders, isForwardedAsIs } from './header.ts';
import { repliesPassBy } from './passing.ts';
import { mapsNoPorts } from './ports.ts';

export const drClaims: readonly Claim[] = [
  { id: 'dr-1', title: "the IP header is unchanged but for TTL, the MAC is the RS's", prove: onlyMacsChange },
  { id: 'dr-2', title: 'replies do not pass the director', prove: repliesPassBy },
  { id: 'dr-3', title: "ports can't be mapped", prove: mapsNoPorts },
  {
    id: 'dr-4',
    title: 'an RS that answers ARP for the VIP breaks it; each of three cures mends it',
    prove: answersArp,
  },
  { id: 'dr-5', title: "an RS outside the director's network is not reachable", prove: outside },
  { id: 'dr-6', title: 'an RS whose gateway is the director gets no connection through', prove: gatewayIsDirector },
  { id: 'dr-7', title: 'the RS is still reachable at its RIP for management', prove: management },
];

async function onlyMacsChange(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const server of realServers) conditions.push(await changesOnlyMacs(scene, server));
  return proof(conditions);
}

async function changesOnlyMacs(scene: Scene, server: string): Promise<Condition> {
  const exchange = await scene.ask({ port: portOfProof(server) });
  if (exchange.answer === undefined) return unanswered(exchange);
  const before = await appears(scene, () => at(requestTrip(scene, exchange), 'director', 'in'));
  const after = await appears(scene, () => at(requestTrip(scene, exchange), server, 'in'));
  if (!before || !after) return [false, `the request to ${server} was not seen at the director and at ${server}`];
  return [
    isForwardedAsIs(before.body, after.body) &&
      before.destination === macOfHost(scene, 'director') &&
      after.source === macOfHost(scene, 'director') &&
      after.destination === macOfHost(scene, server),
    [
      `${formatPacket(after)} came ${formatMacs(scene, before)}`,
      `went on ${formatMacs(scene, after)}: ${compareHeaders(before.body, after.body)}`,
    ].join(', '),
  ];
}

/** The director can send to a MAC of its own segments only: the router's, which sends the VIP back to the director. */
async function outside(scene: Scene): Promise<Proof> {
  const direct = await scene.ask({ to: addressOf(scene.plan, 'rs4'), port: realHttpPort });
  const exchange = await scene.ask({ port: portOfProof('rs4'), timeoutMs: refusalMs });
  await appears(scene, () => at(synTrip(scene, exchange), 'director', 'in'));
  const syns = synTrip(scene, exchange);
  const [came, left] = [at(syns, 'director', 'in'), at(syns, 'director', 'out')];
  const way = left.length > 0 ? `, ${formatMacs(scene, left[0])}` : '';
  return proof([
    [direct.answer !== undefined, `rs4 (${addressOf(scene.plan, 'rs4')}) has the VIP, and answers at its RIP`],
    [exchange.answer === undefined, `the request that the director gave it was ${outcome(exchange)}`],
    [came.length > 0, `its SYN came to the director ${came.length} times and left it ${left.length} times${way}`],
    [at(syns, 'rs4').length === 0, 'it never came to rs4'],
  ]);
}

/** The reply's source is the director's own VIP: a martian. Forwarding is on, so that nothing else can stop it. */
async function gatewayIsDirector(scene: Scene): Promise<Proof> {
  const gateway = hostNamed(scene.plan, 'rs3').gateway ?? '';
  const dip = addressOf(scene.plan, 'director');
  const leaveBy = (way: string): Promise<unknown> => scene.inside('rs3', `ip route replace default via ${way}`);
  await scene.set('director', { 'conf/eth0/forwarding': '1' });
  await leaveBy(dip);
  try {
    const { exchange, conditions } = await strands(scene, 'rs3');
    await appears(scene, () => at(synAckTrip(scene, exchange), 'director', 'in'));
    const replies = synAckTrip(scene, exchange);
    await leaveBy(gateway);
    const after = await scene.ask({ port: portOfProof('rs3') });
    return proof([
      ...conditions,
      [at(replies, 'director', 'in').length > 0, `for rs3's gateway was the DIP ${dip}`],
      [
        at(replies, 'director', 'out').length === 0,
        `the director, with forwarding on, sent it no further: its source ${scene.plan.vip} is the director's own`,
      ],
      [at(replies, 'client').length === 0, 'the client got nothing'],
      [after.answer !== undefined, `with the gateway ${gateway} again it was ${outcome(after)}`],
    ]);
  } finally {
    await leaveBy(gateway);
    await scene.set('director', { 'conf/eth0/forwarding': '0' });
  }
}

async function management(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const server of realServers) {
    const rip = addressOf(scene.plan, server);
    const exchange = await scene.ask({ to: rip, port: realHttpPort });
    const ends = clientEnds(scene, exchange);
    await appears(scene, () => packets(scene, server, 'in', ends));
    const atDirector = packets(scene, 'director', 'in', ends).length;
    conditions.push([
      exchange.answer?.realServer === server && atDirector === 0,
      `${rip}:${realHttpPort} was ${outcome(exchange)}, ${atDirector} of its packets at the director`,
    ]);
  }
  return proof(conditions);
}
