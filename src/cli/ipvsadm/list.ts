// `ipvsadm -L`: the services and their destinations, in one of six views.
import type { Address } from '../../model/address.ts';
import type { InstalledDestination, InstalledService } from '../../model/director.ts';
import type { Destination, Protocol, Service } from '../../model/service.ts';
import {
  counterColumn,
  type EndpointFormat,
  methodLabels,
  namedEndpoints,
  numericEndpoint,
  serviceLabel,
} from './columns.ts';
import type { Host } from './host.ts';
import type { OptionName } from './options.ts';
import { sortDestinations, sortServices } from './sort.ts';

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
  const view = views.find(({ option }) => option === undefined || given.has(option)) ?? plainView;
  const isSorted = !given.has('nosort');
  const sheet: Sheet = { endpoint, isExact: given.has('exact') };
  const lines = isOne ? [] : [banner];
  lines.push(view.title, view.subtitle);
  for (const service of isSorted ? sortServices(services) : services) {
    lines.push(view.service(service, shortened(serviceLabel(service.identity, endpoint), 33, service), sheet));
    const protocol = protocolOf(service);
    for (const destination of isSorted ? sortDestinations(service.destinations) : service.destinations) {
      const label = shortened(endpoint(destination.rip, destination.port, protocol), 28, service);
      lines.push(`  -> ${label.padEnd(28)}${view.destination(destination, sheet)}`);
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

interface Sheet {
  readonly endpoint: EndpointFormat;
  readonly isExact: boolean;
}

interface View {
  readonly option: OptionName | undefined;
  readonly title: string;
  readonly subtitle: string;
  service(service: InstalledService, label: string, sheet: Sheet): string;
  destination(destination: InstalledDestination, sheet: Sheet): string;
}

const subtitle = '  -> RemoteAddress:Port';
const withScheduler: View['service'] = ({ scheduler }, label) => `${label} ${scheduler}`;

const plainView: View = {
  option: undefined,
  title: 'Prot LocalAddress:Port Scheduler Flags',
  subtitle: `${subtitle}           Forward Weight ActiveConn InActConn`,
  service: withScheduler,
  destination: (destination) =>
    ` ${methodLabels[destination.method].padEnd(7)} ${left(destination.weight, 6)} ${connectionColumns(destination)}`,
};

/** When several are asked for, the first of these is shown. */
const views: readonly View[] = [
  numbersView('stats', ['Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'], ({ counters }) => counters),
  numbersView('rate', ['CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS'], ({ rates }) => rates),
  {
    option: 'thresholds',
    title: titleOf(['Uthreshold', 'Lthreshold', 'ActiveConn', 'InActConn '].join(' ')),
    subtitle,
    service: withScheduler,
    // No destination has thresholds yet: 0 is "none".
    destination: (destination) => ` ${left(0, 10)} ${left(0, 10)} ${connectionColumns(destination)}`,
  },
  {
    option: 'persistent-conn',
    title: titleOf(['Weight   ', 'PersistConn', 'ActiveConn', 'InActConn '].join(' ')),
    subtitle,
    service: withScheduler,
    destination: (destination) =>
      ` ${left(destination.weight, 9)} ${left(destination.persistentConnections, 11)} ${connectionColumns(destination)}`,
  },
  {
    option: 'tun-info',
    title: 'Prot LocalAddress:Port Scheduler Flags',
    subtitle: `${subtitle}           Forward TunnelInfo    Weight ActiveConn InActConn`,
    service: withScheduler,
    destination: (destination) =>
      ` ${methodLabels[destination.method].padEnd(7)} ${tunnelInfo(destination).padEnd(13)} ` +
      `${left(destination.weight, 6)} ${connectionColumns(destination)}`,
  },
  plainView,
];

type Numbers = InstalledService['counters'];

function numbersView(
  option: OptionName,
  names: readonly string[],
  pick: (measured: Pick<InstalledService, 'counters' | 'rates'>) => Numbers,
): View {
  const columns = (measured: Pick<InstalledService, 'counters' | 'rates'>, isExact: boolean) => {
    const { connections, inPackets, outPackets, inBytes, outBytes } = pick(measured);
    return [connections, inPackets, outPackets, inBytes, outBytes].map((one) => counterColumn(one, isExact)).join('');
  };
  return {
    option,
    title: titleOf(names.map((name) => name.padStart(8)).join(' ')),
    subtitle,
    service: (service, label, { isExact }) => label.padEnd(33) + columns(service, isExact),
    destination: (destination, { isExact }) => columns(destination, isExact),
  };
}

function titleOf(columns: string): string {
  return `${'Prot LocalAddress:Port'.padEnd(33)} ${columns}`;
}

function connectionColumns({ activeConnections, inactiveConnections }: InstalledDestination): string {
  return `${left(activeConnections, 10)} ${left(inactiveConnections, 10)}`;
}

function tunnelInfo({ method }: Destination): string {
  return method === 'tunnel' ? 'ipip' : 'n/a';
}

function left(value: number, width: number): string {
  return String(value).padEnd(width);
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
