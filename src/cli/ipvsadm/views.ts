// The six views of `ipvsadm -L`: what each says above, of a service and of a destination. Widths are ipvsadm 1.31's.
import type { Counters, InstalledDestination, InstalledService, Rates } from '../../model/director.ts';
import type { Tunnel } from '../../model/service.ts';
import { counterColumn, ipip, maskText, methodLabels } from './columns.ts';
import type { OptionName } from './options.ts';

export interface View {
  readonly title: readonly [string, string];
  /** `label` is the service as a listing names it. */
  service(service: InstalledService, label: string, isExact: boolean): string;
  /** What stands after `  -> ` and 28 characters of the destination's name. */
  destination(destination: InstalledDestination, isExact: boolean): string;
}

/** Of several that are asked for, ipvsadm shows the first of its own order. */
export function viewOf(given: ReadonlySet<OptionName>): View {
  return views.find(([option]) => given.has(option))?.[1] ?? plain;
}

const schedulerTitle = 'Prot LocalAddress:Port Scheduler Flags';
const destinationTitle = '  -> RemoteAddress:Port';

const withScheduler: View['service'] = (service, label) => [label, service.scheduler, ...flagsOf(service)].join(' ');

/** The engine is told only of a service that is persistent. */
function flagsOf({
  schedulerFlags = [],
  persistence,
  persistenceEngine,
  onePacket,
  mssClamp,
  uoa,
}: InstalledService): string[] {
  const mask = persistence && maskText(persistence.mask);
  return [
    ...(schedulerFlags.length === 0 ? [] : [`(${schedulerFlags.join(',')})`]),
    ...(persistence === undefined ? [] : [`persistent ${persistence.timeoutS}`]),
    ...(mask === undefined ? [] : [`mask ${mask}`]),
    ...(persistence === undefined || persistenceEngine === undefined ? [] : [`pe ${persistenceEngine}`]),
    ...(onePacket === true ? ['ops'] : []),
    ...(mssClamp === undefined ? [] : [mssClamp === 'path' ? 'mss-clamp' : `mss-clamp ${mssClamp}`]),
    ...(uoa === undefined ? [] : [`uoa ${uoa}`]),
  ];
}

const plain: View = {
  title: [schedulerTitle, `${destinationTitle}           Forward Weight ActiveConn InActConn`],
  service: withScheduler,
  destination: (one) => ` ${methodLabels[one.method].padEnd(7)} ${left(one.weight, 6)} ${connections(one)}`,
};

const tunnels: View = {
  title: [schedulerTitle, `${destinationTitle}           Forward TunnelInfo    Weight ActiveConn InActConn`],
  service: withScheduler,
  destination: (one) => {
    return ` ${methodLabels[one.method].padEnd(7)} ${tunnelInfo(one).padEnd(13)} ${left(one.weight, 6)} ${connections(one)}`;
  },
};

function tunnelInfo({ method, tunnel }: InstalledDestination): string {
  if (method !== 'tunnel') return 'n/a';
  const { type, port, checksum } = tunnel ?? ipip;
  if (type === 'ipip') return type;
  return `${type === 'gue' ? `${type}:${port}` : type}:${checksumLabels[checksum]}`;
}

const checksumLabels: Readonly<Record<Tunnel['checksum'], string>> = { none: '-c', full: '+c', remote: 'r+c' };

const thresholds: View = {
  title: wideTitle('Uthreshold Lthreshold ActiveConn InActConn '),
  service: withScheduler,
  destination: (one) =>
    ` ${left(one.upperThreshold ?? 0, 10)} ${left(one.lowerThreshold ?? 0, 10)} ${connections(one)}`,
};

const persistence: View = {
  title: wideTitle('Weight    PersistConn ActiveConn InActConn '),
  service: withScheduler,
  destination: (one) => ` ${left(one.weight, 9)} ${left(one.persistentConnections, 11)} ${connections(one)}`,
};

const statistics: View = {
  title: wideTitle('   Conns   InPkts  OutPkts  InBytes OutBytes'),
  service: ({ counters }, label, isExact) => label.padEnd(33) + columnsOf(counters, isExact),
  destination: ({ counters }, isExact) => columnsOf(counters, isExact),
};

const rates: View = {
  title: wideTitle('     CPS    InPPS   OutPPS    InBPS   OutBPS'),
  service: ({ rates: measured }, label, isExact) => label.padEnd(33) + columnsOf(measured, isExact),
  destination: ({ rates: { connections: cps, inPackets, outPackets, inBytes, outBytes } }, isExact) => {
    // ipvsadm shortens a destination's bytes but not its connections and packets.
    const counts = [cps, inPackets, outPackets].map((one) => ` ${one.toString().padStart(8)}`);
    return [...counts, counterColumn(inBytes, isExact), counterColumn(outBytes, isExact)].join('');
  },
};

const views: readonly (readonly [OptionName, View])[] = [
  ['stats', statistics],
  ['rate', rates],
  ['thresholds', thresholds],
  ['persistent-conn', persistence],
  ['tun-info', tunnels],
];

function wideTitle(columns: string): readonly [string, string] {
  return [`${'Prot LocalAddress:Port'.padEnd(33)} ${columns}`, destinationTitle];
}

function columnsOf(measured: Counters | Rates, isExact: boolean): string {
  const { connections: flows, inPackets, outPackets, inBytes, outBytes } = measured;
  return [flows, inPackets, outPackets, inBytes, outBytes].map((one) => counterColumn(one, isExact)).join('');
}

function connections({ activeConnections, inactiveConnections }: InstalledDestination): string {
  return `${left(activeConnections, 10)} ${left(inactiveConnections, 10)}`;
}

function left(value: number, width: number): string {
  return String(value).padEnd(width);
}
