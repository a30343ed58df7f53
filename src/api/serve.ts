// The whole API of a daemon: what it answers, and everywhere that it listens.
import type { Daemon } from '../control/daemon.ts';
import type { Journal } from '../control/journal.ts';
import type { Log } from '../control/log.ts';
import { openMetrics } from '../metrics/metrics.ts';
import { Listeners } from './listeners.ts';
import { type ServerOptions, toApp } from './server.ts';

export interface ServeOptions {
  readonly daemon: Daemon;
  readonly director: ServerOptions['director'];
  readonly socketPath: string;
  readonly journal: Journal;
  readonly log: Log;
  readonly version: string;
}

/** Throws what can't be opened as it is declared. Later declarations that can't be are logged, and the rest holds. */
export async function serve({ daemon, director, socketPath, ...rest }: ServeOptions): Promise<Disposable> {
  const { log } = rest;
  const metrics = openMetrics({
    daemon,
    installed: () => director.services(),
    status: () => director.status(),
    ...rest,
  });
  const app = toApp({ daemon, director, ...rest, metrics });
  const listeners = new Listeners({ app, metrics, tokens: () => daemon.declared.api.tokens, log });
  try {
    await listeners.openSocket(socketPath, daemon.declared.api.socket.group);
    await listeners.update(daemon.declared);
  } catch (error) {
    listeners[Symbol.dispose]();
    throw error;
  }
  daemon.onDeclared = (declared) =>
    void listeners.update(declared).catch((err: unknown) => log.error({ err }, 'the API can not listen as declared'));
  return listeners;
}
