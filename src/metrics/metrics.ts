// What Prometheus scrapes: read at each scrape from the data plane and the daemon. Labels are what is declared or installed,
// never clients; with very many destinations only their services are told.
import type { Journal } from '../control/journal.ts';
import { daemonMetrics } from './daemon.ts';
import { dataplaneMetrics } from './dataplane.ts';
import { History } from './history.ts';
import { format } from './metric.ts';
import { readScene, type SceneOptions } from './scene.ts';
import { destinationMetrics, serviceMetrics } from './services.ts';

export const metrics = [...serviceMetrics, ...destinationMetrics, ...dataplaneMetrics, ...daemonMetrics] as const;

export interface MetricsOptions extends Omit<SceneOptions, 'history'> {
  readonly journal: Pick<Journal, 'listen'>;
}

export interface Metrics {
  /** As all is now, in Prometheus' text format. */
  read(): Promise<AsyncIterable<string>>;
}

export function openMetrics({ journal, ...options }: MetricsOptions): Metrics {
  const history = new History(journal);
  return { read: async () => format(metrics, await readScene({ ...options, history })) };
}
