// How a destination's packets are wrapped, between the model and the word that its member has for it.
import type { Destination, Tunnel } from '../model/service.ts';
import type { Numbers } from './vocabulary.ts';

type TunnelNumbers = Pick<
  Numbers,
  'TUNNEL_IPIP' | 'TUNNEL_GUE' | 'TUNNEL_GRE' | 'TUNNEL_TYPE_MASK' | 'TUNNEL_CSUM' | 'TUNNEL_REMCSUM'
>;

const portShift = 16;
const ipip: Tunnel = { type: 'ipip', port: 0, checksum: 'none' };

/** enum tunnel, and the port above it. 0: IP in IP, and every method that is no tunnel. */
export function encodeTunnel({ method, tunnel = ipip }: Destination, numbers: TunnelNumbers): number {
  if (method !== 'tunnel') return 0;
  return ((tunnel.port << portShift) | typeNumbers(numbers)[tunnel.type] | checksumBits(tunnel, numbers)) >>> 0;
}

/** undefined for IP in IP, which says it all. */
export function decodeTunnel(word: number, numbers: TunnelNumbers): Tunnel | undefined {
  if (word === numbers.TUNNEL_IPIP) return undefined;
  const known = Object.entries(typeNumbers(numbers)) as [Tunnel['type'], number][];
  const type = known.find(([, number]) => number === (word & numbers.TUNNEL_TYPE_MASK))?.[0];
  if (type === undefined) throw new RangeError('a tunnel of a type that has no name');
  if (type === 'ipip') return undefined;
  return { type, port: word >>> portShift, checksum: checksumOf(word, numbers) };
}

/** The bits of enum tunnel, and the port in host order. */
export function splitTunnel(word: number): { readonly bits: number; readonly port: number } {
  return { bits: word & 0xff, port: word >>> portShift };
}

export function joinTunnel({ bits, port }: ReturnType<typeof splitTunnel>): number {
  return ((port << portShift) | bits) >>> 0;
}

export function isSameTunnel(a: Destination, b: Destination): boolean {
  const [one, other] = [a.tunnel ?? ipip, b.tunnel ?? ipip];
  return one.type === other.type && one.port === other.port && one.checksum === other.checksum;
}

function typeNumbers(numbers: TunnelNumbers): Readonly<Record<Tunnel['type'], number>> {
  return { ipip: numbers.TUNNEL_IPIP, gue: numbers.TUNNEL_GUE, gre: numbers.TUNNEL_GRE };
}

function checksumBits({ checksum }: Tunnel, numbers: TunnelNumbers): number {
  if (checksum === 'remote') return numbers.TUNNEL_REMCSUM;
  return checksum === 'full' ? numbers.TUNNEL_CSUM : 0;
}

function checksumOf(word: number, numbers: TunnelNumbers): Tunnel['checksum'] {
  if (word & numbers.TUNNEL_REMCSUM) return 'remote';
  return word & numbers.TUNNEL_CSUM ? 'full' : 'none';
}
