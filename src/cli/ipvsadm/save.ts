// `ipvsadm -S`: the table as the command lines that make it again, and `--get-laddr`.

import { formatAddress } from '../../model/address.ts';
import type { Destination, Method, Service, Tunnel } from '../../model/service.ts';
import { type EndpointFormat, ipip, maskText, numericEndpoint, serviceOption } from './columns.ts';
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

const methodOptions: Readonly<Record<Method, string>> = {
  gate: '-g',
  masq: '-m',
  tunnel: '-i',
  fullnat: '--fullnat',
};

const checksumOptions: Readonly<Record<Tunnel['checksum'], string>> = {
  none: '--tun-nocsum',
  full: '--tun-csum',
  remote: '--tun-remcsum',
};

function serviceLines(service: Service, endpoint: EndpointFormat): string[] {
  const option = serviceOption(service.identity, endpoint);
  const protocol = protocolOf(service);
  const destinationLine = (destination: Destination) => {
    const { rip, port, method, weight } = destination;
    const words = [`-a ${option} -r ${endpoint(rip, port, protocol)} ${methodOptions[method]} -w ${weight}`];
    return [...words, ...tunnelWords(destination), ...thresholdWords(destination)].join(' ');
  };
  return [
    [`-A ${option} -s ${service.scheduler}`, ...settingWords(service)].join(' '),
    ...service.localAddresses.map((address) => `--add-laddr -z ${formatAddress(address)} ${option}`),
    ...sortDestinations(service.destinations).map(destinationLine),
  ];
}

function settingWords({
  schedulerFlags = [],
  persistence,
  persistenceEngine,
  onePacket,
  mssClamp,
  uoa,
}: Service): string[] {
  const mask = persistence && maskText(persistence.mask);
  return [
    ...(persistence === undefined ? [] : [`-p ${persistence.timeoutS}`]),
    ...(mask === undefined ? [] : [`-M ${mask}`]),
    ...(persistenceEngine === undefined ? [] : [`--pe ${persistenceEngine}`]),
    ...(onePacket === true ? ['-o'] : []),
    ...(schedulerFlags.length === 0 ? [] : [`-b ${schedulerFlags.join(',')}`]),
    ...(mssClamp === undefined ? [] : [mssClamp === 'path' ? '--mss-clamp' : `--mss-clamp ${mssClamp}`]),
    ...(uoa === undefined ? [] : [`--uoa ${uoa}`]),
  ];
}

/** ipvsadm 1.31 writes the type of every tunnel. */
function tunnelWords({ method, tunnel }: Destination): string[] {
  if (method !== 'tunnel') return [];
  const { type, port, checksum } = tunnel ?? ipip;
  return [
    `--tun-type ${type}`,
    ...(type === 'gue' ? [`--tun-port ${port}`] : []),
    ...(type === 'ipip' ? [] : [checksumOptions[checksum]]),
  ];
}

/** ipvsadm forgets them. */
function thresholdWords({ upperThreshold = 0, lowerThreshold = 0 }: Destination): string[] {
  return [
    ...(upperThreshold === 0 ? [] : [`-x ${upperThreshold}`]),
    ...(lowerThreshold === 0 ? [] : [`-y ${lowerThreshold}`]),
  ];
}
