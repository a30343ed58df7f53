// What is accepted although it will hardly work: said on stderr.
import { type Address, equalAddresses, formatAddress } from '../../model/address.ts';
import type { Host } from './host.ts';

/** Of one that real servers shall answer to; it may be made later. */
export async function localAddressWarning(address: Address, host: Host): Promise<string | undefined> {
  const text = formatAddress(address);
  if (address.family === 4 ? address.bytes[0] === 127 : text === '::1') {
    return `${text} is a loopback address: real servers can't answer to it`;
  }
  if ((await host.addresses()).some((own) => equalAddresses(own, address))) return undefined;
  return `no interface that is up has ${text}: answers of real servers to it will not come here`;
}
