// The daemon's API on its unix socket.
import { chmodSync, chownSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { parseConfig } from '../config/load.ts';
import type { Daemon } from '../control/daemon.ts';
import type { Journal } from '../control/journal.ts';
import type { Log } from '../control/log.ts';
import type { InstalledDestination, InstalledService } from '../model/director.ts';
import { type ErrorCode, FairleadError } from '../model/error.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { type DestinationStatus, type Problem, routes, type ServiceStatus, type StatusAnswer } from './contract.ts';
import { parseLift, parseOverride } from './parse.ts';

export interface ServerOptions {
  readonly daemon: Daemon;
  readonly installed: () => readonly InstalledService[];
  readonly journal: Journal;
  readonly log: Log;
}

/** Whoever is in the group may use it; root alone without one. */
export async function serve(path: string, group: string | undefined, options: ServerOptions): Promise<Server> {
  const server = createServer(getRequestListener(toApp(options).fetch));
  rmSync(path, { force: true }); // of one that was killed: the caller is the only daemon here
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  } finally {
    process.umask(before);
  }
  if (group !== undefined) {
    chownSync(path, 0, groupId(group));
    chmodSync(path, 0o660);
  }
  return server;
}

export function toApp({ daemon, installed, journal, log }: ServerOptions): Hono {
  const app = new Hono();
  const subjectOf = (context: Context): string =>
    `${context.req.param('service') ?? ''} ${context.req.param('destination') ?? ''}`;
  app.get(routes.status.path, (context) => context.json(toStatus(daemon, installed())));
  app.put(routes.override.path, async (context) => {
    const wanted = parseOverride(await readJson(context));
    daemon.override(subjectOf(context), wanted, wanted);
    return context.body(null, 204);
  });
  app.delete(routes.lift.path, async (context) => {
    daemon.override(subjectOf(context), undefined, parseLift(await readJson(context)));
    return context.body(null, 204);
  });
  app.get(routes.journal.path, (context) => context.json({ entries: journal.last(parseCount(context)) }));
  app.post(routes.reload.path, (context) => context.json({ changed: daemon.reload().services.length }));
  app.post(routes.apply.path, async (context) => {
    const bytes = Buffer.from(await context.req.arrayBuffer());
    return context.json(daemon.apply(parseConfig(bytes, context.req.query('name') ?? 'the body')));
  });
  app.notFound((context) => toProblem(new FairleadError('bad-input', `nothing is at ${context.req.path}`), 404));
  app.onError((error) => {
    if (error instanceof FairleadError) return toProblem(error, statuses[error.code] ?? 409);
    log.error({ err: error }, 'a request failed');
    return toProblem(new FairleadError('kernel', String(error)), 500);
  });
  return app;
}

/** Of codes that are no conflict with what is there. */
const statuses: Partial<Record<ErrorCode, number>> = {
  'bad-input': 400,
  'out-of-range': 400,
  'not-supported': 400,
  'service-missing': 404,
  'destination-missing': 404,
  kernel: 500,
};

function toProblem({ code, message, hint }: FairleadError, status: number): Response {
  const problem: Problem = { title: code, status, detail: message, code, ...(hint !== undefined && { hint }) };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { 'Content-Type': 'application/problem+json' },
  });
}

async function readJson(context: Context): Promise<unknown> {
  try {
    return await context.req.json();
  } catch (cause) {
    throw new FairleadError('bad-input', 'expected a body of JSON', { cause });
  }
}

function parseCount(context: Context): number {
  const text = context.req.query('count') ?? '50';
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new FairleadError('bad-input', `count: expected a number from 1 to 999999, got ${JSON.stringify(text)}`);
}

function toStatus(daemon: Daemon, services: readonly InstalledService[]): StatusAnswer {
  const present = new Map(services.map((service) => [serviceKey(service.identity), service]));
  return {
    services: daemon.declared.services.map(({ identity, scheduler, destinations }): ServiceStatus => {
      const service = serviceKey(identity);
      const own = new Map(present.get(service)?.destinations.map((one) => [destinationKey(one), one]));
      return {
        service,
        scheduler,
        isQuorumLost: daemon.isQuorumLost(service),
        destinations: destinations.map((one) => {
          const destination = destinationKey(one);
          return toDestinationStatus(daemon, service, destination, one.weight, own.get(destination));
        }),
      };
    }),
  };
}

function toDestinationStatus(
  daemon: Daemon,
  service: string,
  destination: string,
  declaredWeight: number,
  present: InstalledDestination | undefined,
): DestinationStatus {
  const subject = `${service} ${destination}`;
  const { isUp = true, reason } = daemon.standing(subject) ?? {};
  const override = daemon.overrides().get(subject);
  return {
    destination,
    isUp,
    ...(reason !== undefined && { reason }),
    ...(present && { weight: present.weight }),
    declaredWeight,
    activeConnections: present?.activeConnections ?? 0,
    inactiveConnections: present?.inactiveConnections ?? 0,
    ...(override && { override }),
    checks: daemon.checks(subject),
  };
}

function groupId(name: string): number {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const id = line?.split(':')[2];
  if (id !== undefined) return Number(id);
  throw new FairleadError('bad-input', `api.socket.group: there is no group ${name}`);
}
