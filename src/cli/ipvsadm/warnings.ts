// What is accepted although it will hardly work: said on stderr.
import { advise } from '../../doctor/advice.ts';
import { readRoute } from '../../doctor/network.ts';
import { type Address, equalAddresses, formatAddress } from '../../model/address.ts';
import type { Host } from './host.ts';
import type { Invocation } from './invocation.ts';

/** Of one that real servers shall answer to; it may be made later. */
export async function localAddressWarning(address: Address, host: Host): Promise<string | undefined> {
  const text = formatAddress(address);
  if (address.family === 4 ? address.bytes[0] === 127 : text === '::1') {
    return `${text} is a loopback address: real servers can't answer to it`;
  }
  if ((await host.addresses()).some((own) => equalAddresses(own, address))) return undefined;
  return `no interface that is up has ${text}: answers of real servers to it will not come here`;
}

/** By the doctor's rules: of a destination that its method can't work with. */
export function destinationWarnings({ command, method, rip, writtenPort, port, mark }: Invocation): readonly string[] {
  if ((command !== 'add-server' && command !== 'edit-server') || rip === undefined) return [];
  return advise({ method, rip, port: writtenPort, servicePort: mark === 0 ? port : 0 }, readRoute);
}
