// What top shows of one moment: a row for each service and destination, with rates since the sample before. Pure.
import type { Counters, InstalledDestination } from '../../../model/director.ts';
import type { DestinationView, ServiceView, View } from '../view/view.ts';
import { stateOf, stateOfService, toServiceWord } from '../view/words.ts';

export interface Row {
  readonly kind: 'service' | 'destination';
  /** Of a destination its service's name and its own. */
  readonly service: string;
  readonly destination: string;
  readonly state: string;
  readonly weight: number | undefined;
  readonly active: number;
  readonly inactive: number;
  /** All per second. */
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export interface Sample {
  readonly atMs: number;
  readonly rows: readonly Row[];
  readonly counters: ReadonlyMap<string, Counters>;
}

type Rates = Pick<Row, 'connections' | 'inPackets' | 'outPackets' | 'inBytes' | 'outBytes'>;

const none: Counters = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

/** Without one before, rates are the data plane's own averages of the last seconds. */
export function takeSample({ services }: View, atMs: number, before: Sample | undefined): Sample {
  const counters = new Map<string, Counters>();
  const ratesOf = (key: string, one: Counted | undefined): Rates => {
    if (one === undefined) return toNumbers(none, 1);
    counters.set(key, one.counters);
    const last = before?.counters.get(key);
    if (before === undefined || last === undefined || atMs <= before.atMs) return toNumbers(one.rates, 1);
    return toNumbers(difference(one.counters, last), (atMs - before.atMs) / 1000);
  };
  const rows = services.flatMap((service) => [
    serviceRow(service, ratesOf(service.key, service.installed)),
    ...service.destinations.map((one) =>
      destinationRow(service, one, ratesOf(`${service.key} ${one.key}`, one.installed)),
    ),
  ]);
  return { atMs, rows, counters };
}

interface Counted {
  readonly counters: Counters;
  readonly rates: Counters;
}

function serviceRow({ key, installed, declared }: ServiceView, rates: Rates): Row {
  const sum = (pick: (one: InstalledDestination) => number): number =>
    installed?.destinations.reduce((total, one) => total + pick(one), 0) ?? 0;
  return {
    kind: 'service',
    service: toServiceWord(key),
    destination: '',
    state: stateOfService(declared),
    weight: undefined,
    active: sum((one) => one.activeConnections),
    inactive: sum((one) => one.inactiveConnections),
    ...rates,
  };
}

function destinationRow({ key }: ServiceView, { key: name, installed, declared }: DestinationView, rates: Rates): Row {
  return {
    kind: 'destination',
    service: toServiceWord(key),
    destination: name,
    state: declared === undefined ? '-' : stateOf(declared),
    weight: installed?.weight,
    active: installed?.activeConnections ?? declared?.activeConnections ?? 0,
    inactive: installed?.inactiveConnections ?? declared?.inactiveConnections ?? 0,
    ...rates,
  };
}

function toNumbers(counters: Counters, seconds: number): Rates {
  const { connections, inPackets, outPackets, inBytes, outBytes } = counters;
  const rate = (count: bigint): number => Number(count) / seconds;
  return {
    connections: rate(connections),
    inPackets: rate(inPackets),
    outPackets: rate(outPackets),
    inBytes: rate(inBytes),
    outBytes: rate(outBytes),
  };
}

/** Counters that somebody zeroed meanwhile begin anew. */
function difference(now: Counters, last: Counters): Counters {
  const since = (name: keyof Counters): bigint => (now[name] >= last[name] ? now[name] - last[name] : now[name]);
  return {
    connections: since('connections'),
    inPackets: since('inPackets'),
    outPackets: since('outPackets'),
    inBytes: since('inBytes'),
    outBytes: since('outBytes'),
  };
}
