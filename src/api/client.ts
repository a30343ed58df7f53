// The library: a daemon as programs and commands see it. `import { connect } from 'fairlead'`.
import { type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { createInterface } from 'node:readline';
import { FairleadError } from '../model/error.ts';
import {
  type CheckAnswer,
  type Connection,
  type ConnectionsAnswer,
  type Difference,
  type Event,
  type JournalAnswer,
  type LiftRequest,
  type MarkRulesAnswer,
  type MarkRulesRequest,
  type OverrideRequest,
  type OverrideStatus,
  type Problem,
  type ReloadAnswer,
  type Route,
  routes,
  type ServicesAnswer,
  type SettingsAnswer,
  type SettingsRequest,
  type StatusAnswer,
  type ZeroRequest,
} from './contract.ts';

/** Where a daemon is: on this machine by its unix socket, or by TCP with a token. */
export type Endpoint =
  | { readonly socket: string }
  | {
      /** `https://director:8443`; http only on loopback addresses. */
      readonly url: string;
      readonly token: string;
      /** PEM certificates to trust, instead of the system's. */
      readonly ca?: string | Buffer;
      /** The client's own, PEM, where the daemon asks for it. */
      readonly certificate?: string | Buffer;
      readonly key?: string | Buffer;
    };

/** Makes a call that changes something fail with code `changed` if somebody else has changed something since. */
export interface Condition {
  /** The etag of config(). */
  readonly ifMatch?: string;
}

export interface Config {
  /** As it was written. */
  readonly yaml: Buffer;
  readonly etag: string;
}

/** Each an address, or one with its port. */
export interface ConnectionFilter {
  readonly client?: string;
  readonly virtual?: string;
  readonly destination?: string;
}

/** Each call rejects with a FairleadError that has what the daemon answered, or with code `daemon-missing`. */
export interface Client {
  /** How all that is declared stands. Services and destinations are named by its keys in all other calls. */
  status(): Promise<StatusAnswer>;
  /** What is attached, how full the tables are, why packets were not forwarded: as `fairlead status -o json`. */
  dataplane(): Promise<unknown>;
  /** What is installed, also what ipvsadm added, with counters and rates: as `fairlead list -o json`. */
  services(): Promise<ServicesAnswer>;
  /** Counters of one service, or of all, begin at 0. */
  zero(request: ZeroRequest): Promise<void>;
  /** Connections and what persistent services remember, as they are read. */
  connections(filter?: ConnectionFilter): AsyncIterable<Connection>;
  /** What IPVS has under net.ipv4.vs, and how long idle connections live. */
  settings(): Promise<SettingsAnswer>;
  /** All or none. What the configuration declares is set again with its next change. */
  changeSettings(request: SettingsRequest): Promise<SettingsAnswer>;
  /** Each as behind `fairlead mark add`. */
  markRules(): Promise<MarkRulesAnswer & { readonly etag: string }>;
  /** Puts them in the place of those that are there. */
  setMarkRules(request: MarkRulesRequest, condition?: Condition): Promise<MarkRulesAnswer>;
  /** undefined: nobody has said anything of it. */
  getOverride(service: string, destination: string): Promise<OverrideStatus | undefined>;
  override(service: string, destination: string, request: OverrideRequest, condition?: Condition): Promise<void>;
  lift(service: string, destination: string, request: LiftRequest, condition?: Condition): Promise<void>;
  config(): Promise<Config>;
  /** YAML, until the daemon reads its own file again. `name` is what errors call it. */
  apply(yaml: string | Buffer, options?: { readonly name?: string } & Condition): Promise<Difference>;
  /** What apply would change. */
  plan(yaml: string | Buffer, options?: { readonly name?: string }): Promise<Difference>;
  /** Rejects with every mistake, each with its line and column. */
  check(yaml: string | Buffer, options?: { readonly name?: string }): Promise<CheckAnswer>;
  reload(condition?: Condition): Promise<ReloadAnswer>;
  /** The last so many; 50 if not given. */
  journal(count?: number): Promise<JournalAnswer>;
  /** What happens from now on, or from behind the one whose id is `after`. Ends when the daemon does, or by break. */
  events(options?: { readonly after?: string }): AsyncIterable<Event>;
  /** As Prometheus reads them. */
  metrics(): Promise<string>;
}

/** The name of the socket that a daemon has unless its file names another. */
const usualSocket = '/run/fairlead/api.sock';

/**
 * By default to this machine's daemon, at $FAIRLEAD_SOCKET or /run/fairlead/api.sock. Nothing is asked yet. Throws bad-input for a
 * URL that is none.
 */
export function connect(endpoint: Endpoint = { socket: process.env.FAIRLEAD_SOCKET ?? usualSocket }): Client {
  const send = sender(endpoint);
  const call = async <Answer>(route: Route, more: Partial<Call> = {}): Promise<Answer> => {
    const { body } = await send({ method: route.method, path: route.path, ...more });
    return (body.length === 0 ? undefined : JSON.parse(body.toString())) as Answer;
  };
  const ofDestination = ({ path }: Route, service: string, destination: string): string =>
    path.replace(':service', encodeURIComponent(service)).replace(':destination', encodeURIComponent(destination));
  const named = ({ path }: Route, name: string | undefined): string =>
    name === undefined ? path : `${path}?name=${encodeURIComponent(name)}`;
  return {
    status: () => call(routes.status),
    dataplane: () => call(routes.dataplane),
    services: () => call(routes.services),
    zero: (body) => call(routes.zero, { body }),
    connections: (filter = {}) => readConnections((path) => call(routes.connections, { path }), filter),
    settings: () => call(routes.settings),
    changeSettings: (body) => call(routes.changeSettings, { body }),
    async markRules() {
      const { method, path } = routes.markRules;
      const { body, etag } = await send({ method, path });
      return { ...(JSON.parse(body.toString()) as MarkRulesAnswer), etag };
    },
    setMarkRules: (body, condition) => call(routes.setMarkRules, { body, ...condition }),
    getOverride: (service, destination) =>
      call<OverrideStatus>(routes.getOverride, {
        path: ofDestination(routes.getOverride, service, destination),
      }).catch(noneIfMissing),
    override: (service, destination, body, condition) =>
      call(routes.override, { path: ofDestination(routes.override, service, destination), body, ...condition }),
    lift: (service, destination, body, condition) =>
      call(routes.lift, { path: ofDestination(routes.lift, service, destination), body, ...condition }),
    async config() {
      const { method, path } = routes.getConfig;
      const { body, etag } = await send({ method, path });
      return { yaml: body, etag };
    },
    apply: (yaml, { name, ...condition } = {}) =>
      call(routes.apply, { path: named(routes.apply, name), body: Buffer.from(yaml), ...condition }),
    plan: (yaml, { name } = {}) => call(routes.plan, { path: named(routes.plan, name), body: Buffer.from(yaml) }),
    check: (yaml, { name } = {}) => call(routes.check, { path: named(routes.check, name), body: Buffer.from(yaml) }),
    reload: (condition) => call(routes.reload, condition),
    journal: (count = 50) => call(routes.journal, { path: `${routes.journal.path}?count=${count}` }),
    events: ({ after } = {}) => readEvents(send, after),
    async metrics() {
      const { method, path } = routes.metrics;
      return (await send({ method, path })).body.toString();
    },
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: object | Buffer;
  readonly ifMatch?: string;
  readonly lastEventId?: string | undefined;
  /** The answer is read as it comes, by who asked. */
  readonly isStream?: boolean;
}

interface Answer {
  readonly body: Buffer;
  readonly etag: string;
  readonly response: IncomingMessage;
}

type Send = (call: Call) => Promise<Answer>;

function sender(endpoint: Endpoint): Send {
  const target = 'socket' in endpoint ? { socketPath: endpoint.socket } : targetOf(endpoint);
  const begin = 'socket' in endpoint || endpoint.url.startsWith('http:') ? request : requestTls;
  const authorization = 'socket' in endpoint ? {} : { Authorization: `Bearer ${endpoint.token}` };
  return ({ method, path, body, ifMatch, lastEventId, isStream = false }) =>
    new Promise((resolve, reject) => {
      const isConfig = Buffer.isBuffer(body);
      const content = isConfig ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
      const headers = {
        ...authorization,
        'Content-Type': isConfig ? 'application/yaml' : 'application/json',
        'Content-Length': content.length,
        ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
        ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
      };
      const asked = begin({ ...target, method, path, headers }, (response) => {
        const { statusCode = 0 } = response;
        const isGood = statusCode >= 200 && statusCode < 300;
        const etag = response.headers.etag ?? '';
        if (isGood && isStream) return resolve({ body: Buffer.alloc(0), etag, response });
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', reject);
        return response.on('end', () => {
          const whole = Buffer.concat(pieces);
          if (isGood) resolve({ body: whole, etag, response });
          else reject(toError(statusCode, whole.toString()));
        });
      });
      asked.on('error', (cause) => reject(unreachable(cause, endpoint)));
      asked.end(content);
    });
}

function targetOf({ url, ca, certificate, key }: Exclude<Endpoint, { socket: string }>): object {
  const { protocol, hostname, port } = URL.canParse(url) ? new URL(url) : {};
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new FairleadError('bad-input', `expected a URL as https://director:8443, got ${JSON.stringify(url)}`);
  return {
    host: hostname?.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? undefined : port,
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  };
}

async function* readEvents(send: Send, after: string | undefined): AsyncGenerator<Event> {
  const { method, path } = routes.events;
  const { response } = await send({ method, path, lastEventId: after, isStream: true });
  try {
    for await (const line of createInterface({ input: response })) {
      if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length)) as Event;
    }
  } finally {
    response.destroy();
  }
}

async function* readConnections(
  read: (path: string) => Promise<ConnectionsAnswer>,
  filter: ConnectionFilter,
): AsyncGenerator<Connection> {
  for (let from: number | undefined = 0; from !== undefined; ) {
    const { connections, next } = await read(
      `${routes.connections.path}?${new URLSearchParams({ ...filter, from: `${from}` })}`,
    );
    yield* connections;
    from = next;
  }
}

function noneIfMissing(error: unknown): undefined {
  if (error instanceof FairleadError && error.code === 'destination-missing') return undefined;
  throw error;
}

function toError(status: number, text: string): FairleadError {
  if (!text.startsWith('{')) return new FairleadError('kernel', `the daemon answered with status ${status}: ${text}`);
  const { code, detail, hint } = JSON.parse(text) as Problem;
  return new FairleadError(code, detail, hint === undefined ? {} : { hint });
}

function unreachable(cause: NodeJS.ErrnoException, endpoint: Endpoint): FairleadError {
  if (!('socket' in endpoint))
    return new FairleadError('daemon-missing', `no daemon answers at ${endpoint.url}: ${cause.message}`, { cause });
  if (cause.code === 'EACCES')
    return new FairleadError('not-root', "the daemon's socket is not for you", { cause, hint: 'run it as root' });
  return new FairleadError('daemon-missing', 'no daemon runs in this network namespace', {
    cause,
    hint: 'start it: fairlead run -c FILE',
  });
}
