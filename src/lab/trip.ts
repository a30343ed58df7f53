// Finds the packets of one request among all that were captured, wherever and in whatever dress they were seen.
import type { Sighting } from './capture.ts';
import { type Ip, innermost, payloadOf, type Tcp } from './packets.ts';
import { addressOf } from './plan.ts';
import type { Exchange, Scene } from './scene.ts';

/** Both ends of a connection in one direction. */
export interface Ends {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

export type IpSighting = Sighting & { readonly body: Ip };

/** Of what a tunnel carries. */
export function endsOf(ip: Ip): Ends | undefined {
  const { source, destination, body } = innermost(ip);
  if (body?.kind !== 'tcp' && body?.kind !== 'udp') return undefined;
  return { source, sourcePort: body.sourcePort, destination, destinationPort: body.destinationPort };
}

export function reversed(ends: Ends): Ends {
  return {
    source: ends.destination,
    sourcePort: ends.destinationPort,
    destination: ends.source,
    destinationPort: ends.sourcePort,
  };
}

export function clientEnds(scene: Scene, exchange: Exchange): Ends {
  const { question } = exchange;
  return {
    source: addressOf(scene.plan, 'client'),
    sourcePort: question.localPort,
    destination: question.to,
    destinationPort: question.port,
  };
}

/** At one host, in one direction, with these ends. */
export function packets(scene: Scene, host: string, direction: 'in' | 'out', ends: Ends): IpSighting[] {
  return ipSightings(scene, (sighting) => {
    if (sighting.host !== host || sighting.direction !== direction) return false;
    const own = endsOf(sighting.body);
    return own !== undefined && sameEnds(own, ends);
  });
}

/** The packets that carry the question: all sightings of it, in order. */
export function requestTrip(scene: Scene, exchange: Exchange): IpSighting[] {
  const { token, protocol } = exchange.question;
  const text = protocol === 'tcp' ? `GET /?token=${token} ` : token;
  return ipSightings(scene, (sighting) => {
    const payload = payloadOf(sighting.body)?.toString('latin1') ?? '';
    return protocol === 'tcp' ? payload.startsWith(text) : payload === text;
  });
}

/** The packets that carry the answer. */
export function replyTrip(scene: Scene, exchange: Exchange): IpSighting[] {
  const text = `"token":"${exchange.question.token}"`;
  return ipSightings(scene, (sighting) => payloadOf(sighting.body)?.toString('latin1').includes(text) ?? false);
}

/** TCP's first packet wherever it was seen: known by its sequence number, which no forwarding method changes. */
export function synTrip(scene: Scene, exchange: Exchange): IpSighting[] {
  const initial = initialSequence(scene, exchange);
  return tcpSightings(scene, ({ flags, sequence }) => flags.syn && !flags.ack && sequence === initial);
}

/** The answer to it. */
export function synAckTrip(scene: Scene, exchange: Exchange): IpSighting[] {
  const initial = initialSequence(scene, exchange);
  if (initial === undefined) return [];
  return tcpSightings(
    scene,
    ({ flags, acknowledgement }) => flags.syn && flags.ack && acknowledgement === (initial + 1) >>> 0,
  );
}

export function at(trip: readonly IpSighting[], host: string, direction?: 'in' | 'out'): IpSighting[] {
  return trip.filter((each) => each.host === host && (direction === undefined || each.direction === direction));
}

export function sameEnds(a: Ends, b: Ends): boolean {
  return (
    a.source === b.source &&
    a.sourcePort === b.sourcePort &&
    a.destination === b.destination &&
    a.destinationPort === b.destinationPort
  );
}

function initialSequence(scene: Scene, exchange: Exchange): number | undefined {
  const sent = packets(scene, 'client', 'out', clientEnds(scene, exchange));
  const syn = sent.find(({ body }) => body.body?.kind === 'tcp' && body.body.flags.syn);
  return syn?.body.body?.kind === 'tcp' ? syn.body.body.sequence : undefined;
}

function tcpSightings(scene: Scene, matches: (tcp: Tcp) => boolean): IpSighting[] {
  return ipSightings(scene, (sighting) => {
    const { body } = innermost(sighting.body);
    return body?.kind === 'tcp' && matches(body);
  });
}

function ipSightings(scene: Scene, matches: (sighting: IpSighting) => boolean): IpSighting[] {
  return scene.wire.seen().filter(isIp).filter(matches);
}

function isIp(sighting: Sighting): sighting is IpSighting {
  return sighting.body?.kind === 'ip';
}
