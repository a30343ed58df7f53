// fairlead describe: all that is known of services and their destinations, and what happened to them last.
import type { DestinationStatus, JournalAnswer, ServiceStatus } from '../../../api/contract.ts';
import { formatAddress } from '../../../model/address.ts';
import { describeService } from '../../../model/described.ts';
import type { Counters, InstalledDestination, InstalledService, Rates } from '../../../model/director.ts';
import { FairleadError } from '../../../model/error.ts';
import type { Out } from '../io.ts';
import { toJson, toYaml } from '../json.ts';
import { formatScheduling } from '../list.ts';
import { type DestinationView, readView, type ServiceView, type View } from '../view/view.ts';
import { compact, formatAge, stateOf, toServiceWord, whyOf } from '../view/words.ts';
import { connectHere } from './override.ts';
import { formatEntry } from './show.ts';

/** Both by their keys; without a destination all of them, without a service all services. */
export interface Wanted {
  readonly service: string | undefined;
  readonly destination: string | undefined;
}

type Entries = JournalAnswer['entries'];

/** So many entries of the journal are looked through, and so many are shown. */
const [mostLookedAt, mostShown] = [10_000, 10];

export async function showDescription(out: Out, wanted: Wanted, format: 'table' | 'json' | 'yaml'): Promise<void> {
  const view = await readView();
  const services = choose(view, wanted);
  const entries = view.hasDaemon ? (await connectHere().journal(mostLookedAt)).entries : [];
  const nowMs = Date.now();
  if (format === 'table') {
    const texts = services.map((one) => formatService(one, view.hasDaemon, eventsOf(one, wanted, entries), nowMs));
    out.write(texts.join('\n'));
    return;
  }
  const plain = {
    services: services.map((one) => ({ ...toPlainService(one), events: eventsOf(one, wanted, entries) })),
  };
  out.write(format === 'json' ? toJson(plain) : await toYaml(plain));
}

function choose({ services }: View, { service, destination }: Wanted): readonly ServiceView[] {
  const chosen = services.filter(({ key }) => service === undefined || key === service);
  if (service !== undefined && chosen.length === 0)
    throw new FairleadError('service-missing', `there is no service ${toServiceWord(service)}`);
  if (destination === undefined) return chosen;
  return chosen.map((one) => {
    const destinations = one.destinations.filter(({ key }) => key === destination);
    if (destinations.length > 0) return { ...one, destinations };
    throw new FairleadError('destination-missing', `${toServiceWord(one.key)} has no destination ${destination}`);
  });
}

function eventsOf({ key }: ServiceView, { destination }: Wanted, entries: Entries): Entries {
  const isWanted = (subject = ''): boolean =>
    destination === undefined ? subject === key || subject.startsWith(`${key} `) : subject === `${key} ${destination}`;
  return entries.filter(({ subject }) => isWanted(subject)).slice(-mostShown);
}

function toPlainService({ key, installed, declared, destinations }: ServiceView): object {
  const present = installed && describeService(installed);
  return {
    service: key,
    ...(declared && { isQuorumLost: declared.isQuorumLost }),
    isDeclared: declared !== undefined,
    ...(present && { installed: { ...present, destinations: undefined } }),
    destinations: destinations.map((one) => ({
      destination: one.key,
      isDeclared: one.declared !== undefined,
      ...(one.installed && { installed: { ...one.installed, rip: formatAddress(one.installed.rip) } }),
      ...(one.declared && { standing: one.declared }),
    })),
  };
}

/** A name and what there is to say of it; undefined: nothing. */
type Field = readonly [name: string, value: string | undefined];

function formatService(service: ServiceView, hasDaemon: boolean, events: Entries, nowMs: number): string {
  const { key, installed, declared, destinations } = service;
  const fields: readonly Field[] = [
    ['Service', toServiceWord(key)],
    ['Declared', whoDeclares(service, hasDaemon)],
    ['Installed', installed ? undefined : 'no'],
    ['Scheduler', installed ? formatScheduling(installed) : declared?.scheduler],
    ...(installed ? settingFields(installed) : []),
    ...(declared ? declaredFields(declared) : []),
    ...(installed ? trafficFields(installed, installed.destinations) : []),
  ];
  const blocks = destinations.map((one) => block(one.key, indent(formatFields(destinationFields(one, nowMs)))));
  return [
    ...formatFields(fields),
    ...block('Destinations:', indent(blocks.length === 0 ? ['none'] : blocks.flat())),
    ...(hasDaemon
      ? block('Events:', indent(events.length === 0 ? ['none'] : events.map((event) => formatEntry(event).trimEnd())))
      : []),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function whoDeclares({ declared }: ServiceView, hasDaemon: boolean): string {
  if (declared !== undefined) return 'yes';
  return hasDaemon ? 'no: ipvsadm added it' : 'no daemon runs that would know';
}

function declaredFields({
  isQuorumLost,
  quorum: { weight, hysteresis },
  sorryServer,
  onFailure,
  onRemove,
  slowStartMs,
}: ServiceStatus): readonly Field[] {
  const needed = `weight ${weight}${hysteresis === 0 ? '' : `, hysteresis ${hysteresis}`}`;
  return [
    ['Quorum', `${isQuorumLost ? 'lost' : 'there'}: ${needed}`],
    ['Sorry server', sorryServer],
    ['On failure', onFailure],
    ['On removal', onRemove],
    ['Slow start', slowStartMs === 0 ? undefined : `${slowStartMs / 1000} s`],
  ];
}

function settingFields({ persistence, persistenceEngine, localAddresses }: InstalledService): readonly Field[] {
  return [
    ['Persistence mask', persistence && formatAddress(persistence.mask)],
    ['Persistence engine', persistenceEngine],
    ['Local addresses', localAddresses.length === 0 ? undefined : localAddresses.map(formatAddress).join(', ')],
  ];
}

function trafficFields(
  { counters, rates }: { readonly counters: Counters; readonly rates: Rates },
  destinations: readonly InstalledDestination[],
): readonly Field[] {
  const sum = (pick: (one: InstalledDestination) => number): number =>
    destinations.reduce((total, one) => total + pick(one), 0);
  const held = [
    `${sum((one) => one.activeConnections)} active`,
    `${sum((one) => one.inactiveConnections)} inactive`,
    `${sum((one) => one.persistentConnections)} persistent`,
  ];
  const way = (packets: bigint, bytes: bigint, packetRate: bigint, byteRate: bigint): string =>
    `${packets} packets, ${bytes} bytes; ${compact(packetRate)} packets/s, ${compact(byteRate)} bytes/s`;
  return [
    ['Connections', `${held.join(', ')}; ${counters.connections} so far, ${compact(rates.connections)}/s`],
    ['From clients', way(counters.inPackets, counters.inBytes, rates.inPackets, rates.inBytes)],
    ['To clients', way(counters.outPackets, counters.outBytes, rates.outPackets, rates.outBytes)],
  ];
}

function destinationFields({ installed, declared }: DestinationView, nowMs: number): readonly Field[] {
  return [
    ['State', declared === undefined ? undefined : [stateOf(declared), whyOf(declared)].filter(Boolean).join(': ')],
    ['Method', installed && formatMethod(installed)],
    ['Weight', formatWeight(installed, declared)],
    ['Upper threshold', installed?.upperThreshold?.toString()],
    ['Lower threshold', installed?.lowerThreshold?.toString()],
    ...(installed ? trafficFields(installed, [installed]) : []),
    ['Operator', declared?.override && formatOverride(declared.override, nowMs)],
    ...(declared?.checks ?? []).map((check): Field => [`Check ${check.kind}`, formatCheck(check, nowMs)]),
  ];
}

function formatMethod({ method, tunnel }: InstalledDestination): string {
  if (tunnel === undefined) return method;
  const { type, port, checksum } = tunnel;
  return [method, type, ...(port === 0 ? [] : [`port ${port}`]), `checksum ${checksum}`].join(', ');
}

function formatWeight(installed: InstalledDestination | undefined, declared: DestinationStatus | undefined): string {
  const present = installed === undefined ? 'not installed' : String(installed.weight);
  const isAsDeclared = declared === undefined || declared.declaredWeight === installed?.weight;
  return isAsDeclared ? present : `${present} (declared: ${declared.declaredWeight})`;
}

function formatOverride(override: NonNullable<DestinationStatus['override']>, nowMs: number): string {
  const { state, weight, untilMs, who, why, sinceMs } = override;
  const what = state ?? `weight ${weight}`;
  const until = untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`;
  return `${what}${until}, by ${who} ${formatAge(sinceMs, nowMs)} ago${why === '' ? '' : `: ${why}`}`;
}

function formatCheck(check: DestinationStatus['checks'][number], nowMs: number): string {
  const { state, reason, sinceMs, durationMs, intervalMs, timeoutMs, rise, fall } = check;
  const since = state === 'unknown' || sinceMs === 0 ? '' : ` for ${formatAge(sinceMs, nowMs)}`;
  const took = durationMs === undefined ? '' : `, in ${durationMs.toFixed(1)} ms`;
  const policy = `every ${intervalMs / 1000} s, timeout ${timeoutMs / 1000} s, rise ${rise}, fall ${fall}`;
  return `${state}${since}${reason === '' ? '' : `: ${reason}`}${took} (${policy})`;
}

function formatFields(fields: readonly Field[]): readonly string[] {
  const known = fields.filter(([, value]) => value !== undefined);
  const width = known.reduce((most, [name]) => Math.max(most, name.length), 0) + 1;
  return known.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${value}`);
}

function block(title: string, lines: readonly string[]): readonly string[] {
  return [title, ...lines];
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}
