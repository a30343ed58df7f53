// Metrics of services, and of each destination.
import type { Counters, InstalledDestination } from '../model/director.ts';
import { labelText, type Metric, type Sample } from './metric.ts';
import type { DestinationScene, Scene, ServiceScene } from './scene.ts';

type ServiceValue = (service: ServiceScene) => Sample[1] | undefined;
type DestinationValue = (destination: DestinationScene) => Sample[1] | undefined;

export const serviceMetrics: readonly Metric<Scene>[] = [
  {
    name: 'fairlead_service_info',
    type: 'gauge',
    help: 'Always 1; declared: whether the daemon declares it, or ipvsadm added it',
    labels: ['service', 'scheduler', 'declared'],
    *samples({ services }) {
      for (const { key, scheduler, declared } of services)
        yield [labelText({ service: key, scheduler, declared: declared ? 'yes' : 'no' }), 1];
    },
  },
  ofService('service_quorum', 'gauge', '1: enough of its destinations are up', ({ declared }) => declared?.hasQuorum),
  ofService('service_destinations', 'gauge', 'Destinations that are declared, or else installed', (one) =>
    one.declared === undefined ? one.installed?.destinations.length : one.declared.destinations,
  ),
  ofService(
    'service_destinations_up',
    'gauge',
    'Destinations that their checks find well, or that have none',
    ({ declared }) => declared?.destinationsUp,
  ),
  ofService('service_active_connections', 'gauge', 'Open connections', sumOf('activeConnections')),
  ofService('service_inactive_connections', 'gauge', 'Connections that begin or end', sumOf('inactiveConnections')),
  ...traffic((name, help, pick) =>
    ofService(`service_${name}`, 'counter', help, ({ installed }) => installed && pick(installed.counters)),
  ),
];

export const destinationMetrics: readonly Metric<Scene>[] = [
  ofDestination(
    'destination_up',
    'gauge',
    '1: its health checks find it well, or it has none',
    ({ declared }) => declared?.isUp,
  ),
  ofDestination(
    'destination_overridden',
    'gauge',
    '1: an operator said something of it',
    ({ declared }) => declared?.isOverridden,
  ),
  ofDestination(
    'destination_weight',
    'gauge',
    'As installed; none where it is not',
    ({ installed }) => installed?.weight,
  ),
  ofDestination(
    'destination_active_connections',
    'gauge',
    'Open connections',
    ({ installed }) => installed?.activeConnections,
  ),
  ofDestination(
    'destination_inactive_connections',
    'gauge',
    'Connections that begin or end',
    ({ installed }) => installed?.inactiveConnections,
  ),
  ...traffic((name, help, pick) =>
    ofDestination(`destination_${name}`, 'counter', help, ({ installed }) => installed && pick(installed.counters)),
  ),
];

function ofService(name: string, type: Metric<Scene>['type'], help: string, value: ServiceValue): Metric<Scene> {
  return {
    ...{ name: `fairlead_${name}`, type, help, labels: ['service'] },
    *samples({ services }) {
      for (const service of services) {
        const now = value(service);
        if (now !== undefined) yield [service.labels, now];
      }
    },
  };
}

function ofDestination(
  name: string,
  type: Metric<Scene>['type'],
  help: string,
  value: DestinationValue,
): Metric<Scene> {
  return {
    ...{ name: `fairlead_${name}`, type, help, labels: ['service', 'destination'] },
    *samples({ destinations }) {
      for (const destination of destinations) {
        const now = value(destination);
        if (now !== undefined) yield [destination.labels, now];
      }
    },
  };
}

function traffic(
  make: (name: string, help: string, pick: (counters: Counters) => bigint) => Metric<Scene>,
): readonly Metric<Scene>[] {
  return [
    make('connections_total', 'Connections so far', ({ connections }) => connections),
    make('in_packets_total', 'Packets from clients', ({ inPackets }) => inPackets),
    make('out_packets_total', 'Packets to clients that pass the director', ({ outPackets }) => outPackets),
    make('in_bytes_total', 'Bytes from clients', ({ inBytes }) => inBytes),
    make('out_bytes_total', 'Bytes to clients that pass the director', ({ outBytes }) => outBytes),
  ];
}

function sumOf(member: 'activeConnections' | 'inactiveConnections'): ServiceValue {
  const add = (sum: number, one: InstalledDestination): number => sum + one[member];
  return ({ installed }) => installed?.destinations.reduce(add, 0);
}
