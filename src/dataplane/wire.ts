// Addresses and services' keys between the model and the bytes that packets are compared with.
import { be16, decode, encode } from '../kernel/codec.ts';
import type { StructLayout } from '../kernel/layout.ts';
import type { Address } from '../model/address.ts';
import type { ServiceIdentity } from '../model/service.ts';
import { protocolName, protocolNumbers } from './vocabulary.ts';

/** struct address. */
export interface AddressWords {
  readonly word: readonly number[];
}

/** struct service_key. */
export interface KeyRow {
  readonly vip: AddressWords;
  readonly port: number;
  readonly protocol: number;
  readonly family: number;
}

export function toWords({ bytes }: Address): AddressWords {
  const padded = Buffer.alloc(16);
  padded.set(bytes);
  return { word: [0, 4, 8, 12].map((at) => padded.readUInt32LE(at)) };
}

export function toAddress({ word }: AddressWords, family: number): Address {
  const bytes = Buffer.alloc(16);
  word.forEach((value, index) => void bytes.writeUInt32LE(value, index * 4));
  return family === 6 ? { family: 6, bytes: [...bytes] } : { family: 4, bytes: [...bytes.subarray(0, 4)] };
}

export function toKeyRow(identity: ServiceIdentity): KeyRow {
  if (identity.kind === 'mark') throw new TypeError('a firewall mark has no key among the addresses');
  return {
    vip: toWords(identity.vip),
    port: be16(identity.port),
    protocol: protocolNumbers[identity.protocol],
    family: identity.vip.family,
  };
}

export function toIdentity(row: KeyRow): ServiceIdentity {
  const protocol = protocolName(row.protocol);
  if (protocol === undefined) throw new RangeError(`a service of protocol ${row.protocol}`);
  return { kind: 'address', protocol, vip: toAddress(row.vip, row.family), port: be16(row.port) };
}

export function encodeKey(layout: StructLayout, identity: ServiceIdentity): Buffer {
  return encode(layout, toKeyRow(identity));
}

export function decodeKey(layout: StructLayout, bytes: Uint8Array): ServiceIdentity {
  return toIdentity(decode<KeyRow>(layout, bytes));
}
