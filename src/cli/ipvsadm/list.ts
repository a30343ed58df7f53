// `ipvsadm -L`: the services and their destinations, in ipvsadm's order or in their own.
import type { Address } from '../../model/address.ts';
import type { InstalledService } from '../../model/director.ts';
import type { Protocol, Service } from '../../model/service.ts';
import { type EndpointFormat, namedEndpoints, numericEndpoint, serviceLabel } from './columns.ts';
import type { Host } from './host.ts';
import type { OptionName } from './options.ts';
import { sortDestinations, sortServices } from './sort.ts';
import { viewOf } from './views.ts';

/** IPVS 1.2.1 with its default table is what scripts expect to meet. */
const banner = 'IP Virtual Server version 1.2.1 (size=4096)';

export interface Listing {
  readonly services: readonly InstalledService[];
  readonly given: ReadonlySet<OptionName>;
  /** One service was asked for: no banner. */
  readonly isOne: boolean;
}

export async function listServices({ services, given, isOne }: Listing, host: Host): Promise<string> {
  const endpoint = await endpointFormat(services, given, host);
  const view = viewOf(given);
  const isExact = given.has('exact');
  const isSorted = !given.has('nosort');
  const lines = [...(isOne ? [] : [banner]), ...view.title];
  for (const service of isSorted ? sortServices(services) : services) {
    const label = shortened(serviceLabel(service.identity, endpoint), 33, service);
    lines.push(view.service(service, label, isExact));
    const protocol = protocolOf(service);
    for (const destination of isSorted ? sortDestinations(service.destinations) : service.destinations) {
      const name = shortened(endpoint(destination.rip, destination.port, protocol), 28, service);
      lines.push(`  -> ${name.padEnd(28)}${view.destination(destination, isExact)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Ports of a mark's destinations are of no protocol, so they have no names. */
export function protocolOf({ identity }: Pick<Service, 'identity'>): Protocol | undefined {
  return identity.kind === 'address' ? identity.protocol : undefined;
}

export async function endpointFormat(
  services: readonly Service[],
  given: ReadonlySet<OptionName>,
  host: Host,
): Promise<EndpointFormat> {
  return given.has('numeric') ? numericEndpoint : await namedEndpoints(addressesOf(services), host);
}

/** ipvsadm cuts what is too wide, but not in a service of IPv6. */
function shortened(label: string, width: number, { identity }: InstalledService): string {
  const family = identity.kind === 'mark' ? identity.family : identity.vip.family;
  return family === 6 ? label : label.slice(0, width);
}

function* addressesOf(services: readonly Service[]): Iterable<Address> {
  for (const { identity, destinations } of services) {
    if (identity.kind === 'address') yield identity.vip;
    for (const { rip } of destinations) yield rip;
  }
}
