// What can be asked of the daemon, by HTTP: one table of routes, and the values that go to and fro.
import type { Difference } from '../control/difference.ts';
import type { FairleadError } from '../model/error.ts';

export const routes = {
  status: { method: 'GET', path: '/v1/status' },
  override: { method: 'PUT', path: '/v1/services/:service/destinations/:destination/override' },
  lift: { method: 'DELETE', path: '/v1/services/:service/destinations/:destination/override' },
  journal: { method: 'GET', path: '/v1/journal' },
  /** Its own file. */
  reload: { method: 'POST', path: '/v1/reload' },
  /** A configuration as the body, until it reads its own file again; `name` is what errors call it. */
  apply: { method: 'POST', path: '/v1/apply' },
} as const;

export interface StatusAnswer {
  readonly services: readonly ServiceStatus[];
}

export interface ServiceStatus {
  /** `tcp 192.0.2.10:80` or `mark 7 4`. */
  readonly service: string;
  readonly scheduler: string;
  readonly isQuorumLost: boolean;
  readonly destinations: readonly DestinationStatus[];
}

export interface DestinationStatus {
  /** `10.1.0.1:8080`. */
  readonly destination: string;
  readonly isUp: boolean;
  /** Why it is not. */
  readonly reason?: string;
  /** As installed; absent: it is not installed. */
  readonly weight?: number;
  readonly declaredWeight: number;
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly override?: OverrideStatus;
  readonly checks: readonly CheckStatus[];
}

export interface CheckStatus {
  readonly kind: string;
  readonly state: 'up' | 'down' | 'unknown';
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface OverrideStatus {
  readonly state?: 'quiesced' | 'draining' | 'removed';
  readonly untilMs?: number;
  readonly weight?: number;
  readonly who: string;
  readonly why: string;
  readonly sinceMs: number;
}

export interface OverrideRequest extends Pick<OverrideStatus, 'untilMs' | 'weight'> {
  readonly state?: 'quiesced' | 'draining';
  readonly who: string;
  readonly why: string;
}

/** Of the override that is lifted. */
export type LiftRequest = Pick<OverrideRequest, 'who' | 'why'>;

export interface JournalAnswer {
  readonly entries: readonly {
    readonly atMs: number;
    readonly who: string;
    readonly what: string;
    readonly subject?: string;
    readonly why?: string;
  }[];
}

export interface ReloadAnswer {
  /** How many services changed. */
  readonly changed: number;
}

/** What has changed. */
export type ApplyAnswer = Difference;

/** RFC 9457. */
export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: FairleadError['code'];
  readonly hint?: string;
}
