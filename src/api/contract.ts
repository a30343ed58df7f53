// What can be asked of the daemon, by HTTP: one table of routes, and the types of what goes to and fro.
import type { z } from 'zod';
import type { Role } from '../model/declared.ts';
import type * as schemas from './schemas.ts';

export type StatusAnswer = Immutable<z.output<typeof schemas.statusAnswer>>;
export type ServiceStatus = StatusAnswer['services'][number];
export type DestinationStatus = ServiceStatus['destinations'][number];
export type OverrideStatus = Immutable<z.output<typeof schemas.overrideStatus>>;
export type OverrideRequest = Immutable<z.output<typeof schemas.overrideRequest>>;
/** Of the override that is lifted. */
export type LiftRequest = Immutable<z.output<typeof schemas.liftRequest>>;
export type JournalAnswer = Immutable<z.output<typeof schemas.journalAnswer>>;
/** What happened, as the stream of events tells it. */
export type Event = JournalAnswer['entries'][number];
export type ReloadAnswer = Immutable<z.output<typeof schemas.reloadAnswer>>;
export type CheckAnswer = Immutable<z.output<typeof schemas.checkAnswer>>;
/** What has changed, or would. */
export type Difference = Immutable<z.output<typeof schemas.difference>>;
/** Of all services, also those that ipvsadm added. */
export type ServicesAnswer = Immutable<z.output<typeof schemas.servicesAnswer>>;
export type InstalledService = ServicesAnswer['services'][number];
export type ConnectionsAnswer = Immutable<z.output<typeof schemas.connectionsAnswer>>;
export type Connection = ConnectionsAnswer['connections'][number];
export type SettingsAnswer = Immutable<z.output<typeof schemas.settingsAnswer>>;
export type SettingsRequest = Immutable<z.output<typeof schemas.settingsRequest>>;
export type MarkRulesAnswer = Immutable<z.output<typeof schemas.markRulesAnswer>>;
export type MarkRulesRequest = Immutable<z.output<typeof schemas.markRulesRequest>>;
export type ZeroRequest = Immutable<z.output<typeof schemas.zeroRequest>>;
/** RFC 9457. */
export type Problem = Immutable<z.output<typeof schemas.problem>>;

type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;

export interface Route {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';
  /** `:name` stands for one segment, percent-encoded. */
  readonly path: string;
  /** By TCP, the least that a token has to have. */
  readonly role: Role;
  readonly summary: string;
}

export const routes = {
  status: {
    ...{ method: 'GET', path: '/v1/status', role: 'read' },
    summary: 'How all that is declared stands: health, weights, connections, and what operators said',
  },
  dataplane: {
    ...{ method: 'GET', path: '/v1/dataplane', role: 'read' },
    summary: 'What is attached where, how full the tables are, and why packets were not forwarded',
  },
  services: {
    ...{ method: 'GET', path: '/v1/services', role: 'read' },
    summary: 'What is installed, also what ipvsadm added: services, their destinations, counters and rates',
  },
  zero: {
    ...{ method: 'POST', path: '/v1/zero', role: 'write' },
    summary: 'Counters of a service and its destinations, or of all, begin at 0',
  },
  connections: {
    ...{ method: 'GET', path: '/v1/connections', role: 'read' },
    summary: 'Connections and what persistent services remember, page by page',
  },
  settings: {
    ...{ method: 'GET', path: '/v1/settings', role: 'read' },
    summary: 'What IPVS has under net.ipv4.vs, and how long idle connections live',
  },
  changeSettings: {
    ...{ method: 'PATCH', path: '/v1/settings', role: 'write' },
    summary: 'Sets some of them, all or none. What the configuration declares is set again with its next change',
  },
  markRules: {
    ...{ method: 'GET', path: '/v1/mark-rules', role: 'read' },
    summary: 'The rules that give packets marks',
  },
  setMarkRules: {
    ...{ method: 'PUT', path: '/v1/mark-rules', role: 'write' },
    summary: 'Puts others in their place, all or none',
  },
  getOverride: {
    ...{ method: 'GET', path: '/v1/services/:service/destinations/:destination/override', role: 'read' },
    summary: 'What an operator said of a destination',
  },
  override: {
    ...{ method: 'PUT', path: '/v1/services/:service/destinations/:destination/override', role: 'write' },
    summary: 'Quiesces, drains or weighs a destination until that is lifted',
  },
  lift: {
    ...{ method: 'DELETE', path: '/v1/services/:service/destinations/:destination/override', role: 'write' },
    summary: 'Lifts what an operator said of a destination',
  },
  getConfig: {
    ...{ method: 'GET', path: '/v1/config', role: 'write' }, // it may hold what health checks log in with
    summary: 'The configuration that is in force, as it was written',
  },
  apply: {
    ...{ method: 'PUT', path: '/v1/config', role: 'write' },
    summary: 'Puts a configuration in force, all or nothing, until the daemon reads its own file again',
  },
  plan: {
    ...{ method: 'POST', path: '/v1/plan', role: 'read' },
    summary: 'What a configuration would change; nothing changes',
  },
  check: {
    ...{ method: 'POST', path: '/v1/check', role: 'read' },
    summary: 'Whether a configuration is right; nothing changes',
  },
  reload: {
    ...{ method: 'POST', path: '/v1/reload', role: 'write' },
    summary: 'The daemon reads its own file again',
  },
  journal: {
    ...{ method: 'GET', path: '/v1/journal', role: 'read' },
    summary: 'What happened, who wanted it, and why',
  },
  events: {
    ...{ method: 'GET', path: '/v1/events', role: 'read' },
    summary: 'What happens from now on, as it does: health, changes, limits (server-sent events)',
  },
  metrics: {
    ...{ method: 'GET', path: '/metrics', role: 'read' },
    summary: 'Metrics for Prometheus',
  },
  openapi: {
    ...{ method: 'GET', path: '/v1/openapi.json', role: 'read' },
    summary: 'This document',
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;
