// `ipvsadm -S`: the table as the command lines that make it again, and `--get-laddr`.

import { formatAddress } from '../../model/address.ts';
import type { Destination, Method, Service } from '../../model/service.ts';
import { type EndpointFormat, numericEndpoint, serviceOption } from './columns.ts';
import type { Host } from './host.ts';
import { endpointFormat, protocolOf } from './list.ts';
import type { OptionName } from './options.ts';
import { sortDestinations, sortServices } from './sort.ts';

export async function saveServices(
  services: readonly Service[],
  given: ReadonlySet<OptionName>,
  host: Host,
): Promise<string> {
  const endpoint = await endpointFormat(services, given, host);
  return sortServices(services)
    .flatMap((service) => serviceLines(service, endpoint))
    .map((line) => `${line}\n`)
    .join('');
}

/** In DPVS's layout, without the two counters that it keeps for each local address; always numeric, as there. */
export function listLocalAddresses(services: readonly Service[]): string {
  const lines = services.flatMap(({ identity, localAddresses }) => {
    const vip =
      identity.kind === 'mark' ? `FWM ${identity.mark}` : numericEndpoint(identity.vip, identity.port, undefined);
    const total = `${vip.padEnd(20)} ${localAddresses.length}`;
    return [total, ...localAddresses.map((address) => `${' '.repeat(30)}${formatAddress(address)}`)];
  });
  return `${['VIP:VPORT            TOTAL    SNAT_IP', ...lines].join('\n')}\n`;
}

/** ipvsadm 1.31 writes the type of every tunnel. */
const methodOptions: Readonly<Record<Method, readonly [string, string]>> = {
  gate: ['-g', ''],
  masq: ['-m', ''],
  tunnel: ['-i', ' --tun-type ipip'],
  fullnat: ['--fullnat', ''],
};

function serviceLines(service: Service, endpoint: EndpointFormat): string[] {
  const option = serviceOption(service.identity, endpoint);
  const protocol = protocolOf(service);
  const destinationLine = ({ rip, port, method, weight }: Destination) => {
    const [way, tunnel] = methodOptions[method];
    return `-a ${option} -r ${endpoint(rip, port, protocol)} ${way} -w ${weight}${tunnel}`;
  };
  return [
    `-A ${option} -s ${service.scheduler}`,
    ...service.localAddresses.map((address) => `--add-laddr -z ${formatAddress(address)} ${option}`),
    ...sortDestinations(service.destinations).map(destinationLine),
  ];
}
