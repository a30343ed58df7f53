// What a claim about an LVS type is, and what several types claim alike: each proof does the thing and tells what it saw.
import { addressOf, hostNamed, hostOfMac, macOf } from '../plan.ts';
import { httpPort, proofPort, realServers, udpPort } from '../plans/addresses.ts';
import type { Exchange, Scene } from '../scene.ts';
import { at, type Ends, endsOf, type IpSighting, synAckTrip, synTrip } from '../trip.ts';

export interface Proof {
  readonly holds: boolean;
  readonly evidence: string;
}

export interface Claim {
  readonly id: string;
  readonly title: string;
  readonly prove: (scene: Scene) => Promise<Proof>;
}

/** What must be so, and what was seen of it. */
export type Condition = readonly [holds: boolean, evidence: string];

/** How long a capture may lag behind what was already answered. */
export const captureLagMs = 2_000;
/** How long a request that is to fail is waited for; the kernel sends a lost SYN again after a second. */
export const refusalMs = 900;

/** All conditions must hold; each is told, those that fail first and marked. */
export function proof(conditions: readonly Condition[]): Proof {
  const failed = conditions.filter(([holds]) => !holds).map(([, evidence]) => `NOT SO: ${evidence}`);
  const held = conditions.filter(([holds]) => holds).map(([, evidence]) => evidence);
  return { holds: failed.length === 0, evidence: [...failed, ...held].join('; ') };
}

/** The first of these sightings, waited for: undefined when there is none in time. */
export async function appears(scene: Scene, find: () => readonly IpSighting[]): Promise<IpSighting | undefined> {
  await scene.wire.until(() => find().length > 0, captureLagMs, scene.signal);
  return find()[0];
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

export function unanswered(exchange: Exchange): Condition {
  return [false, `a ${exchange.question.protocol} request was ${outcome(exchange)}`];
}

/** Of what a tunnel carries. */
export function formatPacket(sighting: IpSighting | undefined): string {
  return formatEnds(sighting && endsOf(sighting.body));
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

/** A request that must get to a real server and no further: its reply goes where it can't be turned back. */
export async function strands(scene: Scene, server: string): Promise<{ exchange: Exchange; conditions: Condition[] }> {
  const exchange = await scene.ask({ port: portOfProof(server), timeoutMs: refusalMs });
  const synAck = await appears(scene, () => at(synAckTrip(scene, exchange), server, 'out'));
  const syn = at(synTrip(scene, exchange), server, 'in')[0];
  const conditions: Condition[] = [
    [exchange.answer === undefined, `the request was ${outcome(exchange)}`],
    [syn !== undefined, `its SYN came to ${server} as ${formatPacket(syn)}`],
    [synAck !== undefined, `${server}'s SYN-ACK went ${formatMacs(scene, synAck)}`],
  ];
  return { exchange, conditions };
}
