// Questions in the name of a client: whether real servers answer it, and whether what goes to it gets there.
import type { Wire } from '../kernel/wire.ts';
import type { Address } from '../model/address.ts';
import { type Answer, type Ends, ipFrame, parseMac, readAnswer, tcp } from './frames.ts';
import { ask, asking, isSame, type Outcome, randomPort } from './knock.ts';
import type { Way } from './network.ts';
import { anyPort, type Finding } from './probe.ts';

/**
 * The service's own SYN for one destination in the name of a client. By masq the answer comes here. By gate and tunnel it goes to the
 * client, which began nothing and says so to the VIP: then its packets came here, and answers reach it. Who is behind a firewall that
 * knows its connections stays silent. `awaited`: the answer itself, wherever it should go, and not what the client says.
 */
export function knockAs(
  { service: { identity }, destination, way, mac }: Finding,
  client: Address,
  wire: Wire,
  { awaited = destination.method === 'masq' ? 'answer' : 'denial' }: { readonly awaited?: 'answer' | 'denial' } = {},
): Promise<Outcome> | undefined {
  if (way === undefined || mac === undefined || identity.kind !== 'address') return undefined;
  const isDressed = destination.method !== 'masq';
  const ends = {
    source: [...client.bytes],
    sourcePort: randomPort(),
    target: isDressed ? [...identity.vip.bytes] : [...destination.rip.bytes],
    targetPort: (isDressed ? 0 : destination.port) || identity.port || anyPort,
  };
  const knock = { destination, mac, way, wire, isDressed };
  return awaited === 'denial' ? ask(knock, ends, (answer) => denialOf(answer, ends)) : ask(knock, ends);
}

/**
 * Does a client refuse an answer from the VIP that it did not ask for? Then the way from this director to it is well, and the way back.
 * `mac`: of the next hop to it.
 */
export async function isReached(
  { service: { identity } }: Finding,
  client: Address,
  { interface: one }: Pick<Way, 'interface'>,
  mac: string,
  wire: Wire,
): Promise<boolean> {
  if (identity.kind !== 'address') return true;
  const ends = {
    source: [...identity.vip.bytes],
    sourcePort: identity.port || anyPort,
    target: [...client.bytes],
    targetPort: randomPort(),
  };
  const segment = tcp(ends, Math.floor(Math.random() * 2 ** 32), { isAnswer: true });
  const back = { source: ends.target, sourcePort: ends.targetPort, target: ends.source, targetPort: ends.sourcePort };
  const frame = ipFrame(parseMac(mac), parseMac(one.mac), segment);
  const denials = await asking(wire, one.index, frame, (sighting) => denialOf(readAnswer(sighting.frame), back), {
    isOne: true,
  });
  return denials.length > 0;
}

/** A client's refusal of a connection that it did not ask for. */
function denialOf(answer: Answer | undefined, ends: Ends): Outcome | undefined {
  if (answer?.kind !== 'tcp' || !answer.isReset) return undefined;
  const isOurs =
    isSame(answer.ends.source, ends.source) &&
    isSame(answer.ends.target, ends.target) &&
    answer.ends.sourcePort === ends.sourcePort &&
    answer.ends.targetPort === ends.targetPort;
  return isOurs ? 'refused' : undefined;
}
