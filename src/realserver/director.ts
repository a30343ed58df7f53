// Whom a real server of LVS-FULLNAT believes who its clients are: addresses of directors, one or a network of them.
import { type Address, formatAddress, parseAddress, readAddress } from '../model/address.ts';
import { prefixMask } from '../model/mark.ts';

export interface Prefix {
  readonly address: Address;
  /** In bits. */
  readonly length: number;
}

/** `10.0.0.1` or `10.0.0.0/24`, in its canonical spelling, the bits below the prefix cleared. undefined for what is neither. */
export function readDirector(text: string): string | undefined {
  const [, host = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = readAddress(host);
  if (address === undefined) return undefined;
  const most = address.bytes.length * 8;
  const length = bits === undefined ? most : Number(bits);
  if (length > most) return undefined;
  const mask = prefixMask(address.family, length).bytes;
  const bytes = address.bytes.map((byte, index) => byte & (mask[index] ?? 0));
  const network = formatAddress({ ...address, bytes });
  return length === most ? network : `${network}/${length}`;
}

/** Of one that readDirector() has made. */
export function toPrefix(director: string): Prefix {
  const [host = '', bits] = director.split('/');
  const address = parseAddress(host);
  return { address, length: bits === undefined ? address.bytes.length * 8 : Number(bits) };
}
