// What a claim about an LVS type is, and what several types claim alike: each proof does the thing and tells what it saw.
import { addressOf, hostNamed, hostOfMac, macOf } from '../plan.ts';
import { realHttpPort, realServers, httpPort, mappedPort, proofPort, udpPort } from '../plans/addresses.ts';
import { listServices } from '../director.ts';
import type { Exchange, Scene } from '../scene.ts';
import {
  at, clientEnds, endsOf, packets, replyTrip, requestTrip, reversed, synAckTrip, synTrip, type Ends, type IpSighting,
} from '../trip.ts';

export interface Proof {
  readonly holds: boolean;
  readonly evidence: string;
}

export interface Claim {
  readonly id: string;
  readonly title: string;
  readonly prove: (scene: Scene) => Promise<Proof>;
}

/** How long a capture may lag behind what was already answered. */
export const captureLagMs = 2_000;
/** How long a request that is to fail is waited for; the kernel sends a lost SYN again after a second. */
export const refusalMs = 900;

/** All conditions must hold; each is told, those that fail first and marked. */
export function proof(conditions: readonly (readonly [holds: boolean, evidence: string])[]): Proof {
  const failed = conditions.filter(([holds]) => !holds).map(([, evidence]) => `NOT SO: ${evidence}`);
  const held = conditions.filter(([holds]) => holds).map(([, evidence]) => evidence);
  return { holds: failed.length === 0, evidence: [...failed, ...held].join('; ') };
}

export function portOfProof(realServer: string): number {
  return proofPort + Number(realServer.slice(2));
}

/** One HTTP and one UDP request for each real server: the services are round robin. */
export async function askEach(scene: Scene): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  for (const _ of realServers) exchanges.push(await scene.ask({ port: httpPort }));
  for (const _ of realServers) exchanges.push(await scene.ask({ port: udpPort, protocol: 'udp' }));
  return exchanges;
}

export function outcome(exchange: Exchange): string {
  const { answer, failure } = exchange;
  return answer ? `answered by ${answer.realServer}` : `not answered (${failure})`;
}

export function whoAnswered(exchanges: readonly Exchange[]): string[] {
  return [...new Set(exchanges.flatMap(({ answer }) => answer?.realServer ?? []))].sort();
}

export function formatEnds(ends: Ends | undefined): string {
  return ends ? `${ends.source}:${ends.sourcePort} > ${ends.destination}:${ends.destinationPort}` : 'nothing';
}

export function formatMacs(scene: Scene, sighting: IpSighting | undefined): string {
  if (!sighting) return 'no frame';
  const name = (mac: string): string => `${mac} (${hostOfMac(scene.plan, mac) ?? 'unknown'})`;
  return `${name(sighting.source)} > ${name(sighting.destination)}`;
}

export function macOfHost(scene: Scene, host: string, leg = 0): string {
  return macOf(addressOf(scene.plan, host, leg));
}

/** The MAC by which the host's gateway is reached. */
export function macOfGateway(scene: Scene, host: string): string {
  return macOf(hostNamed(scene.plan, host).gateway ?? '');
}

/** nat-1, fullnat-4: every packet, there and back, goes in and out of the director. */
export async function passesBothWays(scene: Scene): Promise<Proof> {
  const exchanges = await askEach(scene);
  const conditions: [boolean, string][] = [];
  for (const exchange of exchanges) {
    const { protocol } = exchange.question;
    const server = exchange.answer?.realServer;
    if (server === undefined) {
      conditions.push([false, `a ${protocol} request was ${outcome(exchange)}`]);
      continue;
    }
    const outer = clientEnds(scene, exchange);
    const count = (): number[] => {
      const inner = endsOf(at(requestTrip(scene, exchange), server, 'in')[0]?.body ?? noPacket);
      if (!inner) return [0];
      const there = [packets(scene, 'client', 'out', outer), packets(scene, 'director', 'in', outer), packets(scene, 'director', 'out', inner), packets(scene, server, 'in', inner)];
      const back = [packets(scene, server, 'out', reversed(inner)), packets(scene, 'director', 'in', reversed(inner)), packets(scene, 'director', 'out', reversed(outer)), packets(scene, 'client', 'in', reversed(outer))];
      return [...there, ...back].map((each) => each.length);
    };
    const complete = (): boolean => {
      const [a, b, c, d, e = 0, f, g, h] = count();
      const closed = protocol === 'udp' || [outer, reversed(outer)].every((ends) => hasFin(scene, ends));
      return closed && a === b && b === c && c === d && e === f && f === g && g === h && e > 0;
    };
    const holds = await scene.wire.until(complete, captureLagMs, scene.signal);
    const [a, b, c, d, e, f, g, h] = count();
    conditions.push([
      holds,
      `${protocol} with ${server}: ${a} packets left the client, ${b} entered and ${c} left the director, ${d} reached ${server}, and back ${e}, ${f}, ${g}, ${h}`,
    ]);
  }
  return proof(conditions);
}

/** At the client, whichever way it goes. */
function hasFin(scene: Scene, ends: Ends): boolean {
  const sent = [...packets(scene, 'client', 'out', ends), ...packets(scene, 'client', 'in', ends)];
  return sent.some(({ body }) => body.body?.kind === 'tcp' && body.body.flags.fin);
}

const noPacket = { kind: 'ip', source: '', destination: '', ttl: 0, protocol: 0, header: Buffer.alloc(0), body: undefined } as const;

/** nat-2, fullnat-3. */
export async function mapsPorts(scene: Scene): Promise<Proof> {
  const exchanges = await askEach(scene);
  const conditions: [boolean, string][] = [];
  for (const exchange of exchanges) {
    const { question, answer } = exchange;
    const wanted = scene.plan.services.find(({ protocol, port }) => protocol === question.protocol && port === question.port)?.realPort;
    const server = answer?.realServer ?? 'rs1';
    await scene.wire.until(() => at(requestTrip(scene, exchange), server, 'in').length > 0, captureLagMs, scene.signal);
    const arrived = endsOf(at(requestTrip(scene, exchange), server, 'in')[0]?.body ?? noPacket);
    conditions.push([
      answer?.port === wanted && arrived?.destinationPort === wanted && wanted !== question.port,
      `${question.protocol} ${question.to}:${question.port} was ${outcome(exchange)} on port ${answer?.port} (${formatEnds(arrived)} on its wire)`,
    ]);
  }
  return proof(conditions);
}

/** dr-2, tun-3: the director sees what the client sends and nothing of what it gets. */
export async function repliesPassBy(scene: Scene): Promise<Proof> {
  const exchanges = await askEach(scene);
  const conditions: [boolean, string][] = [];
  for (const exchange of exchanges) {
    const { protocol } = exchange.question;
    const server = exchange.answer?.realServer;
    if (server === undefined) {
      conditions.push([false, `a ${protocol} request was ${outcome(exchange)}`]);
      continue;
    }
    const there = clientEnds(scene, exchange);
    const back = reversed(there);
    // What the director got after a reply could have passed it: captures of one interface are in order.
    const arrived = (): boolean =>
      packets(scene, 'client', 'out', there).length === packets(scene, 'director', 'in', there).length &&
      packets(scene, server, 'out', back).length === packets(scene, 'client', 'in', back).length &&
      replyTrip(scene, exchange).some(({ host }) => host === 'client');
    const complete = await scene.wire.until(arrived, captureLagMs, scene.signal);
    const atDirector = [...packets(scene, 'director', 'in', back), ...packets(scene, 'director', 'out', back)].length;
    const sent = packets(scene, server, 'out', back);
    const gateway = macOfGateway(scene, server);
    conditions.push([
      complete && atDirector === 0 && sent.length > 0 && sent.every(({ destination }) => destination === gateway),
      `${protocol} with ${server}: ${packets(scene, 'director', 'in', there).length} packets of the request at the director, ${sent.length} of the reply (${formatEnds(back)}) sent to ${gateway} (${hostOfMac(scene.plan, gateway)}), ${atDirector} of them at the director`,
    ]);
  }
  return proof(conditions);
}

/** dr-3, tun-4: rs1 listens on the port that was asked for, and yet the packet arrives with the VIP's. */
export async function mapsNoPorts(scene: Scene): Promise<Proof> {
  const rip = addressOf(scene.plan, 'rs1');
  const listing = await listServices(scene.namespace('director'), ['-t', `${scene.plan.vip}:${mappedPort}`], scene.signal);
  const installed = listing.split('\n').find((line) => line.includes(`${rip}:`))?.trim().split(/\s+/)[1] ?? 'nothing';
  const exchange = await scene.ask({ port: mappedPort, timeoutMs: refusalMs });
  const direct = await scene.ask({ to: rip, port: realHttpPort });
  await scene.wire.until(() => at(synTrip(scene, exchange), 'rs1', 'in').length > 0, captureLagMs, scene.signal);
  const arrived = endsOf(at(synTrip(scene, exchange), 'rs1', 'in')[0]?.body ?? noPacket);
  return proof([
    [installed === `${rip}:${mappedPort}`, `-t ${scene.plan.vip}:${mappedPort} -r ${rip}:${realHttpPort} was installed as ${installed}`],
    [arrived?.destinationPort === mappedPort, `the SYN came to rs1 as ${formatEnds(arrived)}`],
    [exchange.answer === undefined, `the request was ${outcome(exchange)}`],
    [direct.answer !== undefined, `asked at ${rip}:${realHttpPort} itself, rs1 answered`],
  ]);
}

/** A request that must get to a real server and no further: its reply goes where it can't be turned back. */
export async function strands(scene: Scene, server: string): Promise<{ exchange: Exchange; conditions: [boolean, string][] }> {
  const exchange = await scene.ask({ port: portOfProof(server), timeoutMs: refusalMs });
  await scene.wire.until(() => at(synAckTrip(scene, exchange), server, 'out').length > 0, captureLagMs, scene.signal);
  const syn = at(synTrip(scene, exchange), server, 'in')[0];
  const synAck = at(synAckTrip(scene, exchange), server, 'out')[0];
  const conditions: [boolean, string][] = [
    [exchange.answer === undefined, `the request was ${outcome(exchange)}`],
    [syn !== undefined, `its SYN came to ${server} as ${formatEnds(syn && endsOf(syn.body))}`],
    [synAck !== undefined, `${server}'s SYN-ACK went ${formatMacs(scene, synAck)}`],
  ];
  return { exchange, conditions };
}
