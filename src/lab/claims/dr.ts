// LVS-DR's rules: only the frame's addresses change, so director, real servers and router share one segment and one VIP.
import { addressOf, hostNamed } from '../plan.ts';
import { realHttpPort, realServers } from '../plans/addresses.ts';
import type { Scene } from '../scene.ts';
import { at, clientEnds, endsOf, packets, requestTrip, synAckTrip, synTrip, type IpSighting } from '../trip.ts';
import { answersArp } from './arp.ts';
import {
  captureLagMs, formatEnds, formatMacs, macOfHost, mapsNoPorts, outcome, portOfProof, proof, refusalMs, repliesPassBy, strands, type Claim,
  type Proof,
} from './claim.ts';
import { changedHeaderBytes, sameContent } from './header.ts';

export const drClaims: readonly Claim[] = [
  { id: 'dr-1', title: "the IP header is unchanged but for TTL, the MAC is the RS's", prove: onlyMacChanges },
  { id: 'dr-2', title: 'replies do not pass the director', prove: repliesPassBy },
  { id: 'dr-3', title: "ports can't be mapped", prove: mapsNoPorts },
  { id: 'dr-4', title: 'an RS that answers ARP for the VIP breaks it; each of three cures mends it', prove: answersArp },
  { id: 'dr-5', title: "an RS outside the director's network is not reachable", prove: outside },
  { id: 'dr-6', title: 'an RS whose gateway is the director gets no connection through', prove: gatewayIsDirector },
  { id: 'dr-7', title: 'the RS is still reachable at its RIP for management', prove: management },
];

async function onlyMacChanges(scene: Scene): Promise<Proof> {
  const conditions: [boolean, string][] = [];
  for (const server of realServers) {
    const exchange = await scene.ask({ port: portOfProof(server) });
    const seen = (host: string, direction: 'in' | 'out'): IpSighting | undefined => at(requestTrip(scene, exchange), host, direction)[0];
    await scene.wire.until(() => seen(server, 'in') !== undefined, captureLagMs, scene.signal);
    const [before, after] = [seen('director', 'in'), seen(server, 'in')];
    if (!before || !after) {
      conditions.push([false, `a request to ${server} was ${outcome(exchange)} and not seen at the director and at ${server}`]);
      continue;
    }
    const changed = changedHeaderBytes(before.body, after.body);
    conditions.push([
      changed.length === 0 && sameContent(before.body, after.body) && after.body.ttl === before.body.ttl - 1 &&
        before.destination === macOfHost(scene, 'director') && after.destination === macOfHost(scene, server) &&
        after.source === macOfHost(scene, 'director') && exchange.answer !== undefined,
      `${formatEnds(endsOf(after.body))} came ${formatMacs(scene, before)} and went on ${formatMacs(scene, after)}: IP header equal but for TTL ${before.body.ttl} > ${after.body.ttl} and its checksum${changed.length > 0 ? ` AND bytes ${changed.join(',')}` : ''}, TCP ${sameContent(before.body, after.body) ? 'equal' : 'DIFFERENT'} byte for byte`,
    ]);
  }
  return proof(conditions);
}

/** The director can send to a MAC of its own segments only: the router's, which sends the VIP back to the director. */
async function outside(scene: Scene): Promise<Proof> {
  const direct = await scene.ask({ to: addressOf(scene.plan, 'rs4'), port: realHttpPort });
  const exchange = await scene.ask({ port: portOfProof('rs4'), timeoutMs: refusalMs });
  await scene.wire.until(() => at(synTrip(scene, exchange), 'director', 'in').length > 0, captureLagMs, scene.signal);
  const syns = synTrip(scene, exchange);
  const left = at(syns, 'director', 'out')[0];
  return proof([
    [direct.answer !== undefined, `rs4 (${addressOf(scene.plan, 'rs4')}) has the VIP, and answers at its RIP`],
    [exchange.answer === undefined, `the request that the director gave it was ${outcome(exchange)}`],
    [at(syns, 'director', 'in').length > 0, `its SYN came to the director ${at(syns, 'director', 'in').length} times and left it ${at(syns, 'director', 'out').length} times${left ? `, ${formatMacs(scene, left)}` : ''}`],
    [at(syns, 'rs4').length === 0, 'it never came to rs4'],
  ]);
}

/** The reply's source is the director's own VIP: a martian. Forwarding is on, so that nothing else can stop it. */
async function gatewayIsDirector(scene: Scene): Promise<Proof> {
  const gateway = hostNamed(scene.plan, 'rs3').gateway ?? '';
  const dip = addressOf(scene.plan, 'director');
  const restore = async (): Promise<void> => {
    await scene.inside('rs3', 'ip', 'route', 'replace', 'default', 'via', gateway);
    await scene.set('director', { 'conf/eth0/forwarding': '0' });
  };
  await scene.set('director', { 'conf/eth0/forwarding': '1' });
  await scene.inside('rs3', 'ip', 'route', 'replace', 'default', 'via', dip);
  try {
    const { exchange, conditions } = await strands(scene, 'rs3');
    await scene.wire.until(() => at(synAckTrip(scene, exchange), 'director', 'in').length > 0, captureLagMs, scene.signal);
    const replies = synAckTrip(scene, exchange);
    conditions.push(
      [at(replies, 'director', 'in').length > 0, `for rs3's gateway was the DIP ${dip}`],
      [at(replies, 'director', 'out').length === 0, `the director, forwarding or not, let it go no further: the source ${scene.plan.vip} is its own`],
      [at(replies, 'client').length === 0, 'the client got nothing'],
    );
    await restore();
    const after = await scene.ask({ port: portOfProof('rs3') });
    conditions.push([after.answer !== undefined, `with the gateway ${gateway} again it was ${outcome(after)}`]);
    return proof(conditions);
  } finally {
    await restore();
  }
}

async function management(scene: Scene): Promise<Proof> {
  const conditions: [boolean, string][] = [];
  for (const server of realServers) {
    const rip = addressOf(scene.plan, server);
    const exchange = await scene.ask({ to: rip, port: realHttpPort });
    const ends = clientEnds(scene, exchange);
    await scene.wire.until(() => packets(scene, server, 'in', ends).length > 0, captureLagMs, scene.signal);
    const atDirector = packets(scene, 'director', 'in', ends).length;
    conditions.push([
      exchange.answer?.realServer === server && atDirector === 0,
      `${rip}:${realHttpPort} was ${outcome(exchange)}, ${atDirector} packets at the director`,
    ]);
  }
  return proof(conditions);
}
