// fairlead describe: all that is known of one service, and of each of its real servers.
import type { DestinationStatus, ServiceStatus } from '../../api/contract.ts';
import type { Counters, InstalledDestination, InstalledService, Rates } from '../../model/director.ts';
import { FairleadError } from '../../model/error.ts';
import { destinationKey, serviceKey } from '../../model/table.ts';
import { connectHere } from './daemon/override.ts';
import type { Io } from './io.ts';
import { toPlain } from './json.ts';
import { describeService, formatScheduling } from './list.ts';
import { openAttached } from './open.ts';

/** Both by their keys; without a destination, all of the service. */
export async function showDescription(
  io: Io,
  service: string,
  destination: string | undefined,
  output: 'table' | 'json' | 'yaml',
): Promise<void> {
  using director = openAttached();
  const installed = director.services().find(({ identity }) => serviceKey(identity) === service);
  const declared = await readDeclared(service);
  if (installed === undefined && declared === undefined)
    throw new FairleadError('service-missing', `no service ${service} is installed or declared`);
  const names = namesOf(installed, declared).filter((name) => destination === undefined || name === destination);
  if (names.length === 0)
    throw new FairleadError(
      'destination-missing',
      `no destination ${destination} of ${service} is installed or declared`,
    );
  if (output === 'table') return void io.stdout.write(formatDescription(service, installed, declared, names));
  const value = { service, ...(installed && { installed: describeService(installed) }), ...(declared && { declared }) };
  if (output === 'json') return void io.stdout.write(`${JSON.stringify(toPlain(value), undefined, 2)}\n`);
  const { stringify } = await import('yaml');
  return void io.stdout.write(stringify(toPlain(value)));
}

/** undefined: it is nobody's but ipvsadm's, or no daemon runs. */
async function readDeclared(service: string): Promise<ServiceStatus | undefined> {
  try {
    return (await connectHere().status()).services.find((one) => one.service === service);
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'daemon-missing') return undefined;
    throw error;
  }
}

function namesOf(installed: InstalledService | undefined, declared: ServiceStatus | undefined): readonly string[] {
  return [
    ...new Set([
      ...(declared?.destinations ?? []).map((one) => one.destination),
      ...(installed?.destinations ?? []).map(destinationKey),
    ]),
  ];
}

type Field = readonly [name: string, value: string];

export function formatDescription(
  service: string,
  installed: InstalledService | undefined,
  declared: ServiceStatus | undefined,
  names: readonly string[],
): string {
  const head: readonly Field[] = [
    ['Service', service],
    ['Declared', declared === undefined ? 'no: ipvsadm added it, or no daemon runs' : 'yes'],
    ...(declared === undefined ? [] : [['Quorum', declared.isQuorumLost ? 'lost' : 'yes'] as const]),
    ['Scheduler', installed === undefined ? (declared?.scheduler ?? '') : formatScheduling(installed)],
    ...(installed === undefined ? [['Installed', 'no'] as const] : trafficOf(installed.counters, installed.rates)),
  ];
  const parts = names.map((name) => {
    const own = installed?.destinations.find((one) => destinationKey(one) === name);
    const status = declared?.destinations.find((one) => one.destination === name);
    return `  ${name}\n${formatFields(destinationFields(own, status), '    ')}`;
  });
  return `${formatFields(head, '')}Destinations:\n${parts.join('')}`;
}

function destinationFields(
  installed: InstalledDestination | undefined,
  status: DestinationStatus | undefined,
): readonly Field[] {
  return [
    ...(status === undefined ? [] : [['State', stateOf(status)] as const]),
    ['Weight', weightOf(installed, status)],
    ...(installed === undefined
      ? []
      : [
          ['Method', methodOf(installed)] as const,
          ...((installed.upperThreshold ?? 0) === 0
            ? []
            : [['Thresholds', `${installed.upperThreshold} and ${installed.lowerThreshold ?? 0}`] as const]),
          ['Open', connectionsOf(installed)] as const,
          ...trafficOf(installed.counters, installed.rates),
        ]),
    ...(status?.checks ?? []).map(
      ({ kind, state, reason, sinceMs }) =>
        ['Check', `${kind}: ${state}${reason === '' ? '' : `, ${reason}`}, since ${whenOf(sinceMs)}`] as const,
    ),
    ...(status?.override === undefined ? [] : [['Override', overrideOf(status.override)] as const]),
  ];
}

function stateOf({ isUp, reason }: DestinationStatus): string {
  return isUp ? 'up' : `down: ${reason ?? 'its checks fail'}`;
}

function weightOf(installed: InstalledDestination | undefined, status: DestinationStatus | undefined): string {
  const now = installed === undefined ? 'not installed' : `${installed.weight}`;
  return status === undefined || status.declaredWeight === installed?.weight
    ? now
    : `${now} (declared: ${status.declaredWeight})`;
}

function methodOf({ method, tunnel }: InstalledDestination): string {
  if (tunnel === undefined) return method;
  return `${method}, ${tunnel.type}${tunnel.port === 0 ? '' : ` to port ${tunnel.port}`}, checksum ${tunnel.checksum}`;
}

function connectionsOf({
  activeConnections,
  inactiveConnections,
  persistentConnections,
}: InstalledDestination): string {
  return `${activeConnections} active, ${inactiveConnections} inactive, ${persistentConnections} persistent`;
}

function trafficOf(counters: Counters, rates: Rates): readonly Field[] {
  const of = (packets: bigint, bytes: bigint, rate: bigint): string =>
    `${packets} packets, ${bytes} bytes (${rate} bytes/s)`;
  return [
    ['Connections', `${counters.connections} (${rates.connections}/s)`],
    ['In', of(counters.inPackets, counters.inBytes, rates.inBytes)],
    ['Out', of(counters.outPackets, counters.outBytes, rates.outBytes)],
  ];
}

function overrideOf({ state, weight, who, why, sinceMs, untilMs }: NonNullable<DestinationStatus['override']>): string {
  const what = state ?? `weight ${weight}`;
  const until = untilMs === undefined ? '' : ` until ${whenOf(untilMs)}`;
  return `${what}${until}, by ${who} since ${whenOf(sinceMs)}${why === '' ? '' : `: ${why}`}`;
}

function whenOf(ms: number): string {
  return new Date(ms).toISOString();
}

function formatFields(fields: readonly Field[], indent: string): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${indent}${`${name}:`.padEnd(width)}  ${value}\n`).join('');
}
