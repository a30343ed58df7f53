// Metrics of the daemon: its probes, the configurations that it was given, what happened, and itself.
import { labelText, type Metric, type Sample } from './metric.ts';
import type { Scene } from './scene.ts';

export const daemonMetrics: readonly Metric<Scene>[] = [
  metric('probes', 'gauge', 'Probes, by what they ask and what they have found', ['kind', 'state'], ({ probes }) =>
    Array.from(probes).flatMap(([kind, { standing }]) => byState(kind, standing)),
  ),
  metric('probe_verdicts_total', 'counter', 'Verdicts of probes', ['kind', 'state'], ({ probes }) =>
    Array.from(probes).flatMap(([kind, { verdicts }]) => byState(kind, verdicts)),
  ),
  metric('probe_seconds_total', 'counter', 'How long probes took, together', ['kind'], ({ probes }) =>
    Array.from(probes, ([kind, { durationMs }]): Sample => [labelText({ kind }), durationMs / 1000]),
  ),
  metric('reloads_total', 'counter', 'Configurations that were taken, or refused', ['result'], ({ history }) => [
    [labelText({ result: 'taken' }), history.count('reload', 'apply')],
    [labelText({ result: 'refused' }), history.count('refused')],
  ]),
  metric('reload_successful', 'gauge', '0: the last configuration was refused', [], ({ history }) => [
    ['', history.isTaken],
  ]),
  metric('reload_success_timestamp_seconds', 'gauge', 'When one was taken last', [], ({ history }) => [
    ['', history.takenS],
  ]),
  metric('changes_total', 'counter', 'What happened since the daemon runs', ['what'], ({ history }) =>
    Array.from(history.changes, ([what, count]): Sample => [labelText({ what }), count]),
  ),
  metric('destination_series_omitted', 'gauge', '1: there are too many for series of their own', [], (scene) => [
    ['', !scene.areDestinationsTold],
  ]),
  metric('build_info', 'gauge', 'Always 1', ['version'], ({ version }) => [[labelText({ version }), 1]]),
  metric('daemon_start_time_seconds', 'gauge', 'When the daemon began', [], ({ history }) => [['', history.startedS]]),
  metric('daemon_cpu_seconds_total', 'counter', 'Processor time of the daemon', [], () => {
    const { user, system } = process.cpuUsage();
    return [['', (user + system) / 1e6]];
  }),
  metric('daemon_resident_memory_bytes', 'gauge', 'Memory of the daemon', [], () => [['', process.memoryUsage.rss()]]),
];

function byState(kind: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([state, count]) => [labelText({ kind, state }), count]);
}

function metric(
  name: string,
  type: Metric<Scene>['type'],
  help: string,
  labels: readonly string[],
  samples: Metric<Scene>['samples'],
): Metric<Scene> {
  return { name: `fairlead_${name}`, type, help, labels, samples };
}
