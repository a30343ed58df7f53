// The daemon as commands see it.
import { request } from 'node:http';
import { FairleadError } from '../model/error.ts';
import {
  type ApplyAnswer,
  type JournalAnswer,
  type LiftRequest,
  type OverrideRequest,
  type Problem,
  type ReloadAnswer,
  routes,
  type StatusAnswer,
} from './contract.ts';

export interface Client {
  status(): Promise<StatusAnswer>;
  /** By the keys that the status has. */
  override(service: string, destination: string, request: OverrideRequest): Promise<void>;
  lift(service: string, destination: string, request: LiftRequest): Promise<void>;
  journal(count: number): Promise<JournalAnswer>;
  reload(): Promise<ReloadAnswer>;
  apply(config: Buffer, name: string): Promise<ApplyAnswer>;
}

/** Each call rejects with what the daemon answered, or with daemon-missing. */
export function connect(socketPath: string): Client {
  const call = async <Answer>(route: { method: string; path: string }, body?: object | Buffer): Promise<Answer> =>
    (await ask(socketPath, route.method, route.path, body)) as Answer;
  const ofDestination = (path: string, service: string, destination: string): string =>
    path.replace(':service', encodeURIComponent(service)).replace(':destination', encodeURIComponent(destination));
  return {
    status: () => call(routes.status),
    override: (service, destination, body) =>
      call({ ...routes.override, path: ofDestination(routes.override.path, service, destination) }, body),
    lift: (service, destination, body) =>
      call({ ...routes.lift, path: ofDestination(routes.lift.path, service, destination) }, body),
    journal: (count) => call({ ...routes.journal, path: `${routes.journal.path}?count=${count}` }),
    reload: () => call(routes.reload),
    apply: (config, name) =>
      call({ ...routes.apply, path: `${routes.apply.path}?name=${encodeURIComponent(name)}` }, config),
  };
}

function ask(socketPath: string, method: string, path: string, body: object | Buffer | undefined): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const isConfig = Buffer.isBuffer(body);
    const content = isConfig ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
    const headers = {
      'Content-Type': isConfig ? 'application/yaml' : 'application/json',
      'Content-Length': content.length,
    };
    const asked = request({ socketPath, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) resolve(text === '' ? undefined : JSON.parse(text));
        else reject(toError(statusCode, text));
      });
    });
    asked.on('error', (cause) => reject(unreachable(cause)));
    asked.end(content);
  });
}

function toError(status: number, text: string): FairleadError {
  if (!text.startsWith('{')) return new FairleadError('kernel', `the daemon answered with status ${status}: ${text}`);
  const { code, detail, hint } = JSON.parse(text) as Problem;
  return new FairleadError(code, detail, hint === undefined ? {} : { hint });
}

function unreachable(cause: NodeJS.ErrnoException): FairleadError {
  if (cause.code === 'EACCES')
    return new FairleadError('not-root', "the daemon's socket is not for you", { cause, hint: 'run it as root' });
  return new FairleadError('daemon-missing', 'no daemon runs in this network namespace', {
    cause,
    hint: 'start it: fairlead run -c FILE',
  });
}
