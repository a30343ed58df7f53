// Which addresses can be a VIP at all, whatever machine it is.
import { formatAddress, isLoopback, isUnicast, readAddress } from '../model/address.ts';

/** RFC 791: what every network carries in one piece. */
export const leastMtu = 576;
/** RFC 8200. */
export const leastMtuSix = 1280;
export const mostMtu = 65535;

/** In its canonical spelling; undefined for what is no address that clients could ask. */
export function readVip(text: string): string | undefined {
  const address = readAddress(text);
  if (address === undefined || !isUnicast(address) || isLoopback(address)) return undefined;
  return formatAddress(address);
}
