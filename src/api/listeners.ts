// Where the API listens: always on the unix socket, and by TCP and for Prometheus where that is declared, as it is declared now.
import { chmodSync, chownSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { Log } from '../control/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { formatAddress, formatEndpoint } from '../model/address.ts';
import type { Declared, Listener, Metrics as MetricsPlace, Token } from '../model/declared.ts';
import { FairleadError } from '../model/error.ts';
import { requireToken } from './access.ts';
import { problemOf } from './problems.ts';
import { scrape } from './scrape.ts';

export interface ListenersOptions {
  readonly app: Hono;
  readonly metrics: Metrics;
  readonly tokens: () => readonly Token[];
  readonly log: Log;
}

/** What is open for one thing that is declared. */
interface Open {
  readonly declared: string;
  readonly server: Server;
}

export class Listeners implements Disposable {
  readonly #options: ListenersOptions;
  readonly #open = new Map<'socket' | 'listen' | 'metrics', Open>();
  #updating: Promise<unknown> = Promise.resolve();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Whoever is in the group may use it; root alone without one. Throws what the kernel says. */
  async openSocket(path: string, group: string | undefined): Promise<void> {
    const server = createServer(getRequestListener(this.#options.app.fetch));
    rmSync(path, { force: true }); // of one that was killed: the caller is the only daemon here
    const before = process.umask(0o177);
    try {
      await opened(server, () => server.listen(path));
    } finally {
      process.umask(before);
    }
    this.#open.set('socket', { declared: path, server });
    if (group === undefined) return;
    chownSync(path, 0, groupId(group));
    chmodSync(path, 0o660);
  }

  /** Opens what is declared now and was not, and closes what is no more. Throws what can't be opened; the rest is as declared. */
  update(declared: Pick<Declared, 'api' | 'metrics'>): Promise<void> {
    // Two at once would both find a port of before, and take it from each other.
    const updated = this.#updating.then(() => this.#hold(declared));
    this.#updating = updated.catch(() => undefined);
    return updated;
  }

  async #hold({ api, metrics }: Pick<Declared, 'api' | 'metrics'>): Promise<void> {
    const { app, tokens } = this.#options;
    const guarded = new Hono().use(requireToken(tokens)).route('/', app);
    const failures = [
      await this.#holdOne('listen', api.listen, (place) => serverOf(place, guarded)),
      await this.#holdOne('metrics', metrics, (place) =>
        createServer(getRequestListener(this.#metricsApp(place).fetch)),
      ),
    ];
    const failure = failures.find((one) => one !== undefined);
    if (failure !== undefined) throw failure;
  }

  [Symbol.dispose](): void {
    for (const { server } of this.#open.values()) {
      server.closeAllConnections();
      server.close();
    }
    this.#open.clear();
  }

  async #holdOne<Place extends Pick<Listener, 'address' | 'port'>>(
    name: 'listen' | 'metrics',
    place: Place | undefined,
    make: (place: Place) => Server,
  ): Promise<unknown> {
    try {
      const declared = place === undefined ? '' : JSON.stringify([place, contentsOf(place)]);
      const present = this.#open.get(name);
      if (present?.declared === declared) return undefined;
      // Made first: with a certificate that can't be read, what is there stays.
      const server = place && make(place);
      present?.server.closeAllConnections();
      present?.server.close();
      this.#open.delete(name);
      if (place === undefined || server === undefined) return undefined;
      await opened(server, () => server.listen({ host: formatAddress(place.address), port: place.port }));
      this.#open.set(name, { declared, server });
      this.#options.log.info({ [name]: formatEndpoint(place.address, place.port) }, 'listening');
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #metricsApp({ path }: MetricsPlace): Hono {
    const { metrics } = this.#options;
    const app = new Hono();
    app.get(path, () => scrape(metrics));
    app.notFound((context) =>
      problemOf(new FairleadError('bad-input', `nothing is at ${context.req.path}: metrics are at ${path}`), 404),
    );
    return app;
  }
}

function serverOf({ tls }: Listener, app: Hono): Server {
  const listener = getRequestListener(app.fetch);
  if (tls === undefined) return createServer(listener);
  const { certificate, key, clientAuthorities } = tls;
  return createTlsServer(
    {
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ...(clientAuthorities !== undefined && {
        ca: readFileSync(clientAuthorities),
        requestCert: true,
        rejectUnauthorized: true,
      }),
    },
    listener,
  );
}

/** Of its files: a certificate that was renewed is another. */
function contentsOf(place: object): readonly string[] {
  const { tls } = place as Partial<Listener>;
  if (tls === undefined) return [];
  return [tls.certificate, tls.key, ...(tls.clientAuthorities === undefined ? [] : [tls.clientAuthorities])].map(
    (path) => readFileSync(path, 'utf8'),
  );
}

function opened(server: Server, open: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    open();
  });
}

function groupId(name: string): number {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const id = line?.split(':')[2];
  if (id !== undefined) return Number(id);
  throw new FairleadError('bad-input', `api.socket.group: there is no group ${name}`);
}
