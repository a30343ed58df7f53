// fairlead list: services, their real servers and their counters.
import { formatEndpoint } from '../../model/address.ts';
import { describeService } from '../../model/described.ts';
import type { InstalledDestination, InstalledService } from '../../model/director.ts';
import type { ServiceIdentity } from '../../model/service.ts';
import { type Column, formatColumns } from './columns.ts';
import type { Out } from './io.ts';
import { toJson, toYaml } from './json.ts';
import { openAttached } from './open.ts';

export async function showList(out: Out, output: 'table' | 'json' | 'yaml'): Promise<void> {
  using director = openAttached();
  const services = director.services();
  if (output === 'table') out.write(formatTable(services));
  else if (output === 'json') out.write(toJson({ services: services.map(describeService) }));
  else out.write(await toYaml({ services: services.map(describeService) }));
}

const columns: readonly Column[] = [
  ...['SERVICE', 'SCHEDULER', 'DESTINATION', 'METHOD'].map((title) => ({ title })),
  ...['WEIGHT', 'ACTIVE', 'INACTIVE', 'CONNS', 'IN PKTS', 'OUT PKTS', 'IN BYTES', 'OUT BYTES'].map((title) => ({
    title,
    isNumber: true,
  })),
];

export function formatTable(services: readonly InstalledService[]): string {
  return formatColumns(columns, services.flatMap(serviceRows))
    .map((line) => `${line}\n`)
    .join('');
}

function serviceRows(service: InstalledService): readonly (readonly string[])[] {
  const { connections, inPackets, outPackets, inBytes, outBytes } = service.counters;
  const sum = (pick: (one: InstalledDestination) => number): string =>
    `${service.destinations.reduce((total, one) => total + pick(one), 0)}`;
  const counts = [connections, inPackets, outPackets, inBytes, outBytes].map(String);
  const head = [
    formatIdentity(service.identity),
    formatScheduling(service),
    '',
    '',
    '',
    sum((one) => one.activeConnections),
    sum((one) => one.inactiveConnections),
    ...counts,
  ];
  return [head, ...service.destinations.map(destinationRow)];
}

export function formatScheduling({
  scheduler,
  schedulerFlags = [],
  persistence,
  onePacket,
  mssClamp,
  uoa,
}: InstalledService): string {
  return [
    schedulerFlags.length === 0 ? scheduler : `${scheduler} (${schedulerFlags.join(',')})`,
    ...(persistence === undefined ? [] : [`persistent ${persistence.timeoutS} s`]),
    ...(onePacket ? ['one-packet'] : []),
    ...(mssClamp === undefined ? [] : [mssClamp === 'path' ? 'MSS of the path' : `MSS ${mssClamp}`]),
    ...(uoa === undefined ? [] : [`uoa ${uoa}`]),
  ].join(', ');
}

function destinationRow({
  rip,
  port,
  method,
  weight,
  activeConnections,
  inactiveConnections,
  counters,
}: InstalledDestination): readonly string[] {
  const { connections, inPackets, outPackets, inBytes, outBytes } = counters;
  const counts = [
    weight,
    activeConnections,
    inactiveConnections,
    connections,
    inPackets,
    outPackets,
    inBytes,
    outBytes,
  ];
  return ['', '', formatEndpoint(rip, port), method, ...counts.map(String)];
}

export function formatIdentity(identity: ServiceIdentity): string {
  return identity.kind === 'mark'
    ? `mark ${identity.mark}${identity.family === 6 ? ' IPv6' : ''}`
    : `${identity.protocol} ${formatEndpoint(identity.vip, identity.port)}`;
}
