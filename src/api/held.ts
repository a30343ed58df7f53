// What the director holds, whoever put it there: services with their counters, connections, settings and mark rules.
import { createHash } from 'node:crypto';
import { setImmediate as breath } from 'node:timers/promises';
import type { Context, Hono } from 'hono';
import type { Journal } from '../control/journal.ts';
import { type Address, equalAddresses, readAddress } from '../model/address.ts';
import { describeConnection, describeService } from '../model/described.ts';
import type { Connection, ConnectionPage, Director, Endpoint, InstalledService } from '../model/director.ts';
import { parseEndpoint } from '../model/endpoint.ts';
import { FairleadError } from '../model/error.ts';
import type { Everything } from '../model/everything.ts';
import { formatRule, type MarkRule, type MarkRules } from '../model/mark.ts';
import { readRule } from '../model/mark-words.ts';
import type { ServiceIdentity } from '../model/service.ts';
import { serviceKey } from '../model/table.ts';
import { expectTag, json, readJson, toJson, withoutUndefined } from './body.ts';
import { type LiftRequest, type MarkRulesAnswer, routes, type SettingsAnswer } from './contract.ts';
import { markRulesRequest, settingsRequest, zeroRequest } from './schemas.ts';

export interface HeldDirector extends Pick<Director, 'services' | 'zero'> {
  connectionPage(from: number, most: number): ConnectionPage;
  everything(): Everything;
  changeEverything(edit: (present: Everything) => Everything): void;
}

/** Looked at for one page: a few milliseconds. */
const pageConnections = 10_000;
/** Told without a pause. */
const destinationsAtOnce = 1000;

export function addHeldRoutes(app: Hono, director: HeldDirector, journal: Journal): void {
  const note = ({ who, why }: LiftRequest, what: string, about: { subject?: string; how?: string } = {}): void => {
    const { how = '', ...subject } = about;
    const words = [how, why].filter((text) => text !== '').join(': ');
    journal.add({ who, what, ...subject, ...(words !== '' && { why: words }) });
  };

  app.get(routes.services.path, async (context) => context.body(await servicesText(director.services()), 200, json));
  app.post(routes.zero.path, async (context) => {
    const { service, ...by } = await readJson(context, zeroRequest);
    director.zero(service === undefined ? undefined : identityOf(director, service));
    note(by, 'zero', service === undefined ? {} : { subject: service });
    return context.body(null, 204);
  });
  app.get(routes.connections.path, (context) => {
    const isAskedFor = filterOf(context);
    const { connections, next } = director.connectionPage(readFrom(context), pageConnections);
    const asked = connections.filter(isAskedFor).map(describeConnection);
    return context.json({ connections: asked, ...(next !== undefined && { next }) });
  });
  app.get(routes.settings.path, (context) => context.json(settingsOf(director)));
  app.patch(routes.changeSettings.path, async (context) => {
    const { settings = {}, timeouts = {}, ...by } = await readJson(context, settingsRequest);
    director.changeEverything((present) => ({
      ...present,
      settings: { ...present.settings, ...settings },
      timeouts: { ...present.timeouts, ...withoutUndefined(timeouts) },
    }));
    const words = Object.entries({ ...settings, ...timeouts }).map(([name, value]) => `${name}=${value}`);
    note(by, 'settings', { how: words.join(' ') });
    return context.json(settingsOf(director));
  });
  app.get(routes.markRules.path, (context) => toMarkRules(context, director.everything().markRules));
  app.put(routes.setMarkRules.path, async (context) => {
    const { rules, ...by } = await readJson(context, markRulesRequest);
    const markRules = rules.map(toRule);
    director.changeEverything((present) => {
      expectTag(context, tagOf(present.markRules));
      return { ...present, markRules };
    });
    note(by, 'mark-rules', { how: `${markRules.length} rules` });
    return toMarkRules(context, director.everything().markRules);
  });
}

/** Step by step, for there may be many, and health checks are not to wait for it. */
async function servicesText(services: readonly InstalledService[]): Promise<string> {
  const texts: string[] = [];
  let steps = 0;
  for (const service of services) {
    texts.push(toJson(describeService(service)));
    steps += service.destinations.length;
    if (steps < destinationsAtOnce) continue;
    steps = 0;
    await breath();
  }
  return `{"services":[${texts.join()}]}`;
}

function identityOf(director: HeldDirector, key: string): ServiceIdentity {
  const found = director.everything().table.services.find(({ identity }) => serviceKey(identity) === key);
  if (found !== undefined) return found.identity;
  throw new FairleadError('service-missing', `there is no service ${key}`);
}

function settingsOf(director: HeldDirector): SettingsAnswer {
  const { settings, timeouts } = director.everything();
  return { settings, timeouts };
}

function toMarkRules(context: Context, rules: MarkRules): Response {
  return context.json({ rules: rules.map(formatRule) } satisfies MarkRulesAnswer, 200, { ETag: tagOf(rules) });
}

function tagOf(rules: MarkRules): string {
  const digest = createHash('sha256').update(rules.map(formatRule).join('\n')).digest('hex');
  return `"${digest.slice(0, 16)}"`;
}

function toRule(text: string, index: number): MarkRule {
  try {
    return readRule(text.split(/\s+/).filter((word) => word !== ''));
  } catch (cause) {
    if (cause instanceof FairleadError)
      throw new FairleadError('bad-input', `rules.${index}: ${cause.message}`, { cause });
    throw cause;
  }
}

function readFrom(context: Context): number {
  const text = context.req.query('from') ?? '0';
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new FairleadError('bad-input', `from: expected next of the page before, got ${JSON.stringify(text)}`);
}

/** An address, or one with its port. */
function filterOf(context: Context): (connection: Connection) => boolean {
  const ends = (['client', 'virtual', 'destination'] as const).flatMap((name) => {
    const text = context.req.query(name);
    return text === undefined ? [] : [{ name, end: toEnd(text) }];
  });
  return (connection) =>
    ends.every(
      ({ name, end: { address, port } }) =>
        equalAddresses(connection[name].address, address) && (port === undefined || port === connection[name].port),
    );
}

function toEnd(text: string): { readonly address: Address; readonly port?: Endpoint['port'] } {
  const address = readAddress(text);
  return address === undefined ? parseEndpoint(text) : { address };
}
