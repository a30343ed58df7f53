// Addresses and services' keys between the model and the bytes that packets are compared with.
import { be16, decode, encode } from '../kernel/codec.ts';
import type { StructLayout } from '../kernel/layout.ts';
import type { Address, Family } from '../model/address.ts';
import type { Endpoint } from '../model/director.ts';
import type { ServiceIdentity } from '../model/service.ts';
import { protocolName, protocolNumbers } from './vocabulary.ts';

/** struct address is 16 bytes in network order, of which IPv4 takes the first 4. */
export function toAddress(bytes: Uint8Array, family: number): Address {
  if (family === 6) return { family: 6, bytes: [...bytes.subarray(0, 16)] };
  return { family: 4, bytes: [bytes[0] ?? 0, bytes[1] ?? 0, bytes[2] ?? 0, bytes[3] ?? 0] };
}

export function encodeAddress({ bytes }: Address): Buffer {
  const padded = Buffer.alloc(16);
  padded.set(bytes);
  return padded;
}

/** What tells connections apart: struct tuple. */
export interface Tuple {
  readonly family: Family;
  /** Of IPv4 the first one says it all. */
  readonly words: readonly bigint[];
  readonly ports: bigint;
}

/** Who sends a tuple's packets, to whom, and by which protocol's number. */
export interface Ends {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly protocol: number;
}

export function toEnds({ family, words, ports }: Tuple): Ends {
  const bytes = Buffer.alloc(32);
  words.forEach((word, index) => void bytes.writeBigUInt64LE(word, index * 8));
  const size = family === 4 ? 4 : 16;
  const end = (half: 0 | 1): Endpoint => ({
    address: toAddress(bytes.subarray(half * size), family),
    port: be16(Number((ports >> BigInt(half * 16)) & 0xffffn)),
  });
  return { source: end(0), target: end(1), protocol: Number((ports >> 32n) & 0xffn) };
}

/** The layout is that of struct service_key. A mark stands where addresses have their first word, and has no protocol. */
export function decodeKey(layout: StructLayout, bytes: Buffer): ServiceIdentity {
  const { port, family, protocol: number } = decode<{ port: number; family: number; protocol: number }>(layout, bytes);
  if (number === 0) {
    const mark = bytes.readUInt32BE(layout.field('vip').offset);
    return { kind: 'mark', mark, family: family === 6 ? 6 : 4 };
  }
  const protocol = protocolName(number);
  if (protocol === undefined) throw new RangeError('a service of a protocol that has no name');
  return {
    kind: 'address',
    protocol,
    vip: toAddress(bytes.subarray(layout.field('vip').offset), family),
    port: be16(port),
  };
}

export function encodeKey(layout: StructLayout, identity: ServiceIdentity): Buffer {
  if (identity.kind === 'mark') {
    const key = encode(layout, { port: 0, protocol: 0, family: identity.family });
    key.writeUInt32BE(identity.mark, layout.field('vip').offset);
    return key;
  }
  const key = encode(layout, {
    port: be16(identity.port),
    protocol: protocolNumbers[identity.protocol],
    family: identity.vip.family,
  });
  key.set(encodeAddress(identity.vip), layout.field('vip').offset);
  return key;
}
