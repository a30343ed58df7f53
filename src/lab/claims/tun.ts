// LVS-TUN's rules: the client's packet travels whole inside another, and the real server must be able to take it out.
import { type Ip, innermost } from '../packets.ts';
import { addressOf, hostNamed } from '../plan.ts';
import { realServers } from '../plans/addresses.ts';
import type { Scene } from '../scene.ts';
import { at, requestTrip, synAckTrip, synTrip } from '../trip.ts';
import {
  appears,
  type Claim,
  type Condition,
  formatMacs,
  outcome,
  type Proof,
  portOfProof,
  proof,
  refusalMs,
  unanswered,
} from './claim.ts';
import { compareHeaders, isForwardedAsIs } from './header.ts';
import { repliesPassBy } from './passing.ts';
import { mapsNoPorts } from './ports.ts';

export const tunClaims: readonly Claim[] = [
  { id: 'tun-1', title: "the inner packet is the client's", prove: innerIsClients },
  { id: 'tun-2', title: 'the RS may be in another network, behind a router', prove: behindRouter },
  { id: 'tun-3', title: 'replies do not pass the director', prove: repliesPassBy },
  { id: 'tun-4', title: "ports can't be mapped", prove: mapsNoPorts },
  { id: 'tun-5', title: "an RS that can't decapsulate gets nothing through", prove: noDecapsulation },
];

const protocolIpip = 4;

async function innerIsClients(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const server of realServers) conditions.push(await carriesWhole(scene, server));
  return proof(conditions);
}

async function carriesWhole(scene: Scene, server: string): Promise<Condition> {
  const exchange = await scene.ask({ port: portOfProof(server) });
  if (exchange.answer === undefined) return unanswered(exchange);
  const before = (await appears(scene, () => at(requestTrip(scene, exchange), 'director', 'in')))?.body;
  const outer = (await appears(scene, () => at(requestTrip(scene, exchange), server, 'in')))?.body;
  if (!before || !outer) return [false, `the request to ${server} was not seen at the director and at ${server}`];
  const inner = innermost(outer);
  const tunnel = `${outer.source} > ${outer.destination} protocol ${outer.protocol}`;
  return [
    outer.source === addressOf(scene.plan, 'director') &&
      outer.destination === addressOf(scene.plan, server) &&
      outer.protocol === protocolIpip &&
      isForwardedAsIs(before, inner) &&
      exchange.answer.peer === addressOf(scene.plan, 'client'),
    [
      `${server}: ${tunnel} around ${inner.source} > ${inner.destination}: inner ${compareHeaders(before, inner)}`,
      `${server} saw ${exchange.answer.peer}`,
    ].join(', '),
  ];
}

async function behindRouter(scene: Scene): Promise<Proof> {
  const conditions: Condition[] = [];
  for (const server of ['rs2', 'rs3']) {
    const exchange = await scene.ask({ port: portOfProof(server) });
    const arrived = await appears(scene, () => at(requestTrip(scene, exchange), server, 'in'));
    const left = await appears(scene, () => at(requestTrip(scene, exchange), 'director', 'out'));
    conditions.push([
      exchange.answer !== undefined && left !== undefined && arrived?.body.ttl === left.body.ttl - 1,
      [
        `${server} ${addressOf(scene.plan, server)}, gateway ${hostNamed(scene.plan, server).gateway}`,
        `the tunnel left the director ${formatMacs(scene, left)} with TTL ${left?.body.ttl}`,
        `and came ${formatMacs(scene, arrived)} with TTL ${arrived?.body.ttl}`,
        `the request was ${outcome(exchange)}`,
      ].join(', '),
    ]);
  }
  return proof(conditions);
}

/** The VIP stays on lo: only what takes the packet out of the tunnel is missing. */
async function noDecapsulation(scene: Scene): Promise<Proof> {
  const vip = `${scene.plan.vip}/32`;
  await scene.resetRealServer('rs3');
  await scene.inside('rs3', `ip addr replace ${vip} dev lo`);
  const exchange = await scene.ask({ port: portOfProof('rs3'), timeoutMs: refusalMs });
  const syn = await appears(scene, () => at(synTrip(scene, exchange), 'rs3', 'in'));
  const refusals = scene.wire.seen().filter(({ host, direction, body }) => {
    return host === 'rs3' && direction === 'out' && body?.kind === 'ip' && isProtocolUnreachable(body);
  });
  await scene.inside('rs3', `ip addr del ${vip} dev lo`);
  await scene.addRealServer('rs3');
  const after = await scene.ask({ port: portOfProof('rs3') });
  const tunnel = `${syn?.body.source} > ${syn?.body.destination} protocol ${syn?.body.protocol}`;
  return proof([
    [
      exchange.answer === undefined,
      `rs3 had the VIP on lo but no decapsulator, and the request was ${outcome(exchange)}`,
    ],
    [syn?.body.protocol === protocolIpip, `its SYN came to rs3 in ${tunnel}`],
    [
      at(synAckTrip(scene, exchange), 'rs3').length === 0,
      `rs3 sent no SYN-ACK and ${refusals.length} ICMP protocol unreachable`,
    ],
    [
      after.answer !== undefined,
      `with \`fairlead realserver add ${scene.plan.vip} --method tunnel\` it was ${outcome(after)}`,
    ],
  ]);
}

function isProtocolUnreachable(ip: Ip): boolean {
  return ip.body?.kind === 'icmp' && ip.body.type === 3 && ip.body.code === 2;
}
