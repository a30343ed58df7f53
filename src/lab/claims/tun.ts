// LVS-TUN's rules: the client's packet travels whole inside another, and the real server must be able to take it out.
import { addressOf, hostNamed } from '../plan.ts';
import { realServers } from '../plans/addresses.ts';
import { innermost, type Ip } from '../packets.ts';
import type { Exchange, Scene } from '../scene.ts';
import { at, requestTrip, synAckTrip, synTrip, type IpSighting } from '../trip.ts';
import {
  captureLagMs, formatMacs, mapsNoPorts, outcome, portOfProof, proof, refusalMs, repliesPassBy, type Claim, type Proof,
} from './claim.ts';
import { changedHeaderBytes, sameContent } from './header.ts';

export const tunClaims: readonly Claim[] = [
  { id: 'tun-1', title: "the inner packet is the client's", prove: innerIsClients },
  { id: 'tun-2', title: 'the RS may be in another network, behind a router', prove: behindRouter },
  { id: 'tun-3', title: 'replies do not pass the director', prove: repliesPassBy },
  { id: 'tun-4', title: "ports can't be mapped", prove: mapsNoPorts },
  { id: 'tun-5', title: "an RS that can't decapsulate gets nothing through", prove: noDecapsulation },
];

async function innerIsClients(scene: Scene): Promise<Proof> {
  const conditions: [boolean, string][] = [];
  const dip = addressOf(scene.plan, 'director');
  for (const server of realServers) {
    const exchange = await scene.ask({ port: portOfProof(server) });
    const { before, after } = await acrossDirector(scene, exchange);
    if (!before || !after) {
      conditions.push([false, `a request to ${server} was ${outcome(exchange)} and not seen on both sides of the director`]);
      continue;
    }
    const inner = innermost(after.body);
    const changed = changedHeaderBytes(before.body, inner);
    conditions.push([
      exchange.answer?.peer === addressOf(scene.plan, 'client') &&
        after.body.source === dip && after.body.destination === addressOf(scene.plan, server) && after.body.protocol === 4 &&
        changed.length === 0 && sameContent(before.body, inner) && inner.ttl === before.body.ttl - 1,
      `${server}: ${after.body.source} > ${after.body.destination} IPIP around ${inner.source} > ${inner.destination}: inner IP header equal but for TTL ${before.body.ttl} > ${inner.ttl} and its checksum${changed.length > 0 ? ` AND bytes ${changed.join(',')}` : ''}, TCP ${sameContent(before.body, inner) ? 'equal' : 'DIFFERENT'} byte for byte; the server saw ${exchange.answer?.peer}`,
    ]);
  }
  return proof(conditions);
}

async function behindRouter(scene: Scene): Promise<Proof> {
  const conditions: [boolean, string][] = [];
  for (const server of ['rs2', 'rs3']) {
    const exchange = await scene.ask({ port: portOfProof(server) });
    const arrival = (): IpSighting | undefined => at(requestTrip(scene, exchange), server, 'in')[0];
    await scene.wire.until(() => arrival() !== undefined, captureLagMs, scene.signal);
    const left = at(requestTrip(scene, exchange), 'director', 'out')[0];
    const arrived = arrival();
    conditions.push([
      exchange.answer !== undefined && left !== undefined && arrived !== undefined && arrived.body.ttl === left.body.ttl - 1,
      `${server} ${addressOf(scene.plan, server)}, gateway ${hostNamed(scene.plan, server).gateway}: the tunnel left the director ${formatMacs(scene, left)} with TTL ${left?.body.ttl} and came to ${server} ${formatMacs(scene, arrived)} with ${arrived?.body.ttl}; ${outcome(exchange)}`,
    ]);
  }
  return proof(conditions);
}

/** The VIP stays on lo: only what takes the packet out of the tunnel is missing. */
async function noDecapsulation(scene: Scene): Promise<Proof> {
  const vip = `${scene.plan.vip}/32`;
  await scene.removeTunnelEnd('rs3');
  await scene.inside('rs3', 'ip', 'addr', 'replace', vip, 'dev', 'lo');
  const exchange = await scene.ask({ port: portOfProof('rs3'), timeoutMs: refusalMs });
  await scene.wire.until(() => at(synTrip(scene, exchange), 'rs3', 'in').length > 0, captureLagMs, scene.signal);
  const arrived = at(synTrip(scene, exchange), 'rs3', 'in')[0];
  const refusals = scene.wire.seen().filter((each) => {
    return each.host === 'rs3' && each.direction === 'out' && each.body?.kind === 'ip' && isProtocolUnreachable(each.body);
  });
  await scene.inside('rs3', 'ip', 'addr', 'del', vip, 'dev', 'lo');
  await scene.addTunnelEnd('rs3');
  const after = await scene.ask({ port: portOfProof('rs3') });
  return proof([
    [exchange.answer === undefined, `without its decapsulator rs3 had the VIP on lo, yet the request was ${outcome(exchange)}`],
    [arrived?.body.protocol === 4, `the SYN came to rs3 inside ${arrived?.body.source} > ${arrived?.body.destination} (IPIP)`],
    [at(synAckTrip(scene, exchange), 'rs3').length === 0, `rs3 sent no SYN-ACK, but ${refusals.length} ICMP protocol unreachable`],
    [after.answer !== undefined, `after \`fairlead realserver add\` it was ${outcome(after)}`],
  ]);
}

async function acrossDirector(scene: Scene, exchange: Exchange): Promise<{ before: IpSighting | undefined; after: IpSighting | undefined }> {
  const found = (): { before: IpSighting | undefined; after: IpSighting | undefined } => {
    const trip = requestTrip(scene, exchange);
    return { before: at(trip, 'director', 'in')[0], after: at(trip, 'director', 'out')[0] };
  };
  await scene.wire.until(() => found().after !== undefined, captureLagMs, scene.signal);
  return found();
}

function isProtocolUnreachable(ip: Ip): boolean {
  return ip.body?.kind === 'icmp' && ip.body.type === 3 && ip.body.code === 2;
}
