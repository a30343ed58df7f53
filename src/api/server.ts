// The daemon's API: its routes, and what each of them does.
import { type Context, Hono } from 'hono';
import type { Daemon, Written } from '../control/daemon.ts';
import type { Journal } from '../control/journal.ts';
import type { Log } from '../control/log.ts';
import type { Status } from '../dataplane/status.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { FairleadError } from '../model/error.ts';
import { expectTag, json, readBytes, readCount, readJson, toJson, withoutUndefined } from './body.ts';
import { type CheckAnswer, routes } from './contract.ts';
import { streamEvents } from './events.ts';
import { addHeldRoutes, type HeldDirector } from './held.ts';
import { toOpenApi } from './openapi.ts';
import { problemOf } from './problems.ts';
import { liftRequest, overrideRequest } from './schemas.ts';
import { scrape } from './scrape.ts';
import { toStatus } from './standing.ts';

export interface ServerOptions {
  readonly daemon: Daemon;
  readonly director: HeldDirector & {
    /** undefined: nothing is attached. */
    status(): Status | undefined;
  };
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly log: Log;
  readonly version: string;
}

export function toApp({ daemon, director, metrics, journal, log, version }: ServerOptions): Hono {
  const app = new Hono();
  app.get(routes.status.path, (context) => context.json(toStatus(daemon, director.services())));
  app.get(routes.dataplane.path, (context) => context.body(toJson(director.status() ?? null), 200, json));
  app.get(routes.getOverride.path, (context) => {
    const found = daemon.overrides().get(subjectOf(context));
    if (found !== undefined) return context.json(found, 200, tagOf(daemon));
    throw new FairleadError('destination-missing', `nobody has said anything of ${subjectOf(context)}`);
  });
  app.put(routes.override.path, async (context) => {
    const wanted = withoutUndefined(await readJson(context, overrideRequest));
    expectUnchanged(context, daemon);
    daemon.override(subjectOf(context), wanted, wanted);
    return context.body(null, 204, tagOf(daemon));
  });
  app.delete(routes.lift.path, async (context) => {
    const by = await readJson(context, liftRequest);
    expectUnchanged(context, daemon);
    daemon.override(subjectOf(context), undefined, by);
    return context.body(null, 204, tagOf(daemon));
  });
  app.get(routes.getConfig.path, (context) =>
    context.body(new Uint8Array(daemon.source), 200, { ...tagOf(daemon), 'Content-Type': 'application/yaml' }),
  );
  app.put(routes.apply.path, async (context) => {
    const loaded = await readConfig(context);
    expectUnchanged(context, daemon);
    const difference = daemon.apply(loaded);
    return context.json(difference, 200, tagOf(daemon));
  });
  app.post(routes.plan.path, async (context) => context.json(daemon.plan(daemon.parse(await readConfig(context)))));
  app.post(routes.check.path, async (context) => {
    const { services } = daemon.parse(await readConfig(context));
    const destinations = services.reduce((sum, one) => sum + one.destinations.length, 0);
    return context.json({ services: services.length, destinations } satisfies CheckAnswer);
  });
  app.post(routes.reload.path, (context) => {
    expectUnchanged(context, daemon);
    return context.json({ changed: daemon.reload().services.length }, 200, tagOf(daemon));
  });
  addHeldRoutes(app, director, journal);
  app.get(routes.journal.path, (context) => context.json({ entries: journal.last(readCount(context)) }));
  app.get(routes.events.path, (context) => streamEvents(context, journal));
  app.get(routes.metrics.path, () => scrape(metrics));
  app.get(routes.openapi.path, (context) => context.json(toOpenApi(version)));
  app.notFound((context) => problemOf(new FairleadError('bad-input', `nothing is at ${context.req.path}`), 404));
  app.onError((error) => {
    if (error instanceof FairleadError) return problemOf(error);
    log.error({ err: error }, 'a request failed');
    return problemOf(new FairleadError('kernel', String(error)));
  });
  return app;
}

function subjectOf(context: Context): string {
  return `${context.req.param('service') ?? ''} ${context.req.param('destination') ?? ''}`;
}

async function readConfig(context: Context): Promise<Written> {
  return { source: await readBytes(context), name: context.req.query('name') ?? 'the body' };
}

function tagOf({ revision }: Daemon): { readonly ETag: string } {
  return { ETag: `"${revision}"` };
}

function expectUnchanged(context: Context, daemon: Daemon): void {
  expectTag(context, tagOf(daemon).ETag);
}
