// What Prometheus scrapes: read at each scrape from the data plane and the daemon. Labels are what is declared or installed: services,
// destinations, reasons, tables; nothing of clients.
import { Counter, Gauge, Registry } from 'prom-client';
import type { Daemon } from '../control/daemon.ts';
import type { Journal } from '../control/journal.ts';
import type { Status } from '../dataplane/status.ts';
import type { Counters, InstalledService } from '../model/director.ts';
import { destinationKey, serviceKey } from '../model/table.ts';

export interface MetricsOptions {
  readonly daemon: Daemon;
  readonly installed: () => readonly InstalledService[];
  readonly status: () => Status | undefined;
  readonly journal: Journal;
  readonly version: string;
}

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

const ofService = ['service'] as const;
const ofDestination = ['service', 'destination'] as const;

export function openMetrics({ daemon, installed, status, journal, version }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });

  const traffic = <Label extends 'service' | 'destination'>(kind: string, labels: readonly Label[]) => {
    const of = `of a ${kind}`;
    return {
      connections: counter(`fairlead_${kind}_connections_total`, `Connections ${of} so far`, labels),
      inPackets: counter(`fairlead_${kind}_in_packets_total`, `Packets from clients ${of}`, labels),
      outPackets: counter(
        `fairlead_${kind}_out_packets_total`,
        `Packets to clients ${of} that pass the director`,
        labels,
      ),
      inBytes: counter(`fairlead_${kind}_in_bytes_total`, `Bytes from clients ${of}`, labels),
      outBytes: counter(`fairlead_${kind}_out_bytes_total`, `Bytes to clients ${of} that pass the director`, labels),
    };
  };
  const service = traffic('service', ofService);
  const destination = traffic('destination', ofDestination);
  const up = gauge('fairlead_destination_up', '1: its health checks find it well, or it has none', ofDestination);
  const weight = gauge('fairlead_destination_weight', 'As installed; none where it is not', ofDestination);
  const active = gauge('fairlead_destination_active_connections', 'Open connections', ofDestination);
  const inactive = gauge('fairlead_destination_inactive_connections', 'Connections that end or begin', ofDestination);
  const overridden = gauge('fairlead_destination_overridden', '1: an operator said something of it', ofDestination);
  const quorum = gauge('fairlead_service_quorum', '1: its destinations that are up are enough', ofService);
  const dropped = counter('fairlead_not_forwarded_packets_total', 'Packets not forwarded, by reason', ['reason']);
  const events = counter('fairlead_events_total', 'What the data plane did that is no drop, by event', ['event']);
  const used = gauge('fairlead_table_used', 'Entries of a table that are used', ['table']);
  const size = gauge('fairlead_table_size', 'Entries that a table has', ['table']);
  const attached = gauge('fairlead_interface_attached', '1: packets are taken there, by the hook', [
    'interface',
    'hook',
  ]);
  const changes = counter('fairlead_changes_total', 'What happened since the daemon runs: up, down, reload, ...', [
    'what',
  ]);
  gauge('fairlead_build_info', 'Always 1', ['version']).set({ version }, 1);

  journal.listen(({ what }) => changes.inc({ what: what.startsWith('set weight') ? 'set weight' : what }));

  const readServices = (): void => {
    for (const { identity, counters, destinations } of installed()) {
      const name = serviceKey(identity);
      addTraffic(service, { service: name }, counters);
      for (const one of destinations) {
        const labels = { service: name, destination: destinationKey(one) };
        addTraffic(destination, labels, one.counters);
        weight.set(labels, one.weight);
        active.set(labels, one.activeConnections);
        inactive.set(labels, one.inactiveConnections);
      }
    }
  };
  const readDeclared = (): void => {
    for (const { identity, destinations } of daemon.declared.services) {
      const name = serviceKey(identity);
      quorum.set({ service: name }, daemon.isQuorumLost(name) ? 0 : 1);
      for (const one of destinations) {
        const labels = { service: name, destination: destinationKey(one) };
        const subject = `${name} ${labels.destination}`;
        up.set(labels, daemon.standing(subject)?.isUp === false ? 0 : 1);
        overridden.set(labels, daemon.overrides().has(subject) ? 1 : 0);
      }
    }
  };
  const readStatus = (): void => {
    const now = status();
    if (now === undefined) return;
    for (const [reason, count] of Object.entries(now.reasons)) dropped.inc({ reason }, Number(count));
    for (const [event, count] of Object.entries(now.events)) events.inc({ event }, Number(count));
    for (const table of ['connections', 'services', 'destinations', 'markRules'] as const) {
      used.set({ table }, now[table].used);
      size.set({ table }, now[table].size);
    }
    for (const { interface: name, xdp, tc } of now.attachments) {
      attached.set({ interface: name, hook: 'xdp' }, xdp ? 1 : 0);
      attached.set({ interface: name, hook: 'tc' }, tc ? 1 : 0);
    }
  };
  const read = [
    ...Object.values(service),
    ...Object.values(destination),
    ...[up, weight, active, inactive, overridden, quorum, dropped, events, used, size, attached],
  ];
  return {
    contentType: registry.contentType,
    text() {
      // What is gone has no figures any more, and counters are what the kernel has counted.
      for (const one of read) one.reset();
      readServices();
      readDeclared();
      readStatus();
      return registry.metrics();
    },
  };
}

type Traffic<Label extends string> = Readonly<Record<keyof Counters, Counter<Label>>>;

function addTraffic<Label extends string>(
  of: Traffic<Label>,
  labels: Readonly<Record<Label, string>>,
  counters: Counters,
): void {
  for (const [name, one] of Object.entries(of) as readonly (readonly [keyof Counters, Counter<Label>])[])
    one.inc(labels, Number(counters[name]));
}
