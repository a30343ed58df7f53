// Metrics of the data plane: what was not forwarded, what else it did, how full its tables are, and its sweeper.
import type { Status } from '../dataplane/status.ts';
import { labelText, type Metric, type Sample } from './metric.ts';
import type { Scene } from './scene.ts';

export const dataplaneMetrics: readonly Metric<Scene>[] = [
  ofStatus('not_forwarded_packets_total', 'counter', 'Packets not forwarded, by reason', ['reason'], ({ reasons }) =>
    Object.entries(reasons).map(([reason, count]) => [labelText({ reason }), count]),
  ),
  ofStatus('events_total', 'counter', 'What the data plane did that is no drop', ['event'], ({ events }) =>
    Object.entries(events).map(([event, count]) => [labelText({ event }), count]),
  ),
  ofStatus('table_used', 'gauge', 'Entries of a table that are used', ['table'], (status) =>
    tables.map((table) => [labelText({ table }), status[table].used]),
  ),
  ofStatus('table_size', 'gauge', 'Entries that a table has', ['table'], (status) =>
    tables.map((table) => [labelText({ table }), status[table].size]),
  ),
  ofStatus('destinations_deleted', 'gauge', 'Kept for their connections, or their return', [], ({ destinations }) => [
    ['', destinations.deleted],
  ]),
  ofStatus('sweep_late_seconds', 'gauge', 'How long ago the sweeper should have run: 0 while it does', [], (status) => [
    ['', status.sweep.lateS],
  ]),
  ofStatus('sweep_due_pages', 'gauge', 'Pages of the connection table that the sweeper is behind', [], (status) => [
    ['', status.sweep.duePages],
  ]),
  ofStatus('sweep_seconds_total', 'counter', 'Processor time of the sweeper', [], (status) => [
    ['', status.sweep.busyS],
  ]),
  ofStatus('interface_attached', 'gauge', '1: packets are taken there', ['interface', 'hook'], ({ attachments }) =>
    attachments.flatMap(({ interface: name, xdp, tc }): readonly Sample[] => [
      [labelText({ interface: name, hook: 'xdp' }), xdp],
      [labelText({ interface: name, hook: 'tc' }), tc],
    ]),
  ),
  ofStatus('forwarding_off', 'gauge', '1: the setting is 0, and new ways are not found', ['setting'], (status) =>
    status.missingForwarding.map((setting) => [labelText({ setting }), 1]),
  ),
];

const tables = ['connections', 'services', 'destinations', 'markRules'] as const;

function ofStatus(
  name: string,
  type: Metric<Scene>['type'],
  help: string,
  labels: readonly string[],
  samples: (status: Status) => Iterable<Sample>,
): Metric<Scene> {
  return {
    ...{ name: `fairlead_${name}`, type, help, labels },
    samples: ({ status }) => (status === undefined ? [] : samples(status)),
  };
}
