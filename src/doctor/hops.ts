// How far packets to a service come: by SYNs whose hops run out on the way, each of which its last machine tells of.
import type { Wire } from '../kernel/wire.ts';
import { formatAddress, parseAddress } from '../model/address.ts';
import type { Endpoint } from '../model/director.ts';
import { type Ends, ipFrame, parseMac, readAnswer, tcp, tcpProtocol } from './frames.ts';
import { whoHas } from './knock.ts';
import type { Way } from './network.ts';

const mostHops = 12;
const patienceMs = 1_500;
const firstPort = 61_000;

/** The last machine that told that a packet had come to it, and after how many hops; undefined where none did. */
export interface Farthest {
  readonly address: string;
  readonly hops: number;
}

export async function farthest(target: Endpoint, way: Way, wire: Wire): Promise<Farthest | undefined> {
  const vip = formatAddress(target.address);
  const [mac] = await whoHas(way.gateway ?? vip, way, wire, { isOne: true });
  if (mac === undefined) return undefined;
  const source = [...parseAddress(way.source).bytes];
  const first = firstPort + Math.floor(Math.random() * 3_000);
  const told = wire.collect(({ frame }): Farthest | undefined => {
    const answer = readAnswer(frame);
    if (answer?.kind !== 'expired' || answer.protocol !== tcpProtocol || answer.port !== target.port) return undefined;
    const hops = answer.sourcePort - first;
    const isOurs = hops >= 1 && hops <= mostHops && answer.target.join() === target.address.bytes.join();
    const { family } = target.address;
    return isOurs ? { address: formatAddress({ family, bytes: answer.source }), hops } : undefined;
  }, patienceMs);
  for (let hops = 1; hops <= mostHops; hops++) {
    const ends: Ends = { source, sourcePort: first + hops, target: target.address.bytes, targetPort: target.port };
    const sequence = Math.floor(Math.random() * 2 ** 32);
    wire.send(way.interface.index, ipFrame(parseMac(mac), parseMac(way.interface.mac), tcp(ends, sequence, { hops })));
  }
  return (await told).toSorted((a, b) => b.hops - a.hops)[0];
}
