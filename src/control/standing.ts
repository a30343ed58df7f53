// How a destination stands: what its probes, the operators and the time since it came back say. Pure.
import type { Health } from '../health/hysteresis.ts';
import type { Destination } from '../model/service.ts';

/** What an operator said about a destination, apart from the file. */
export interface Override {
  /**
   * `quiesced`: no new connections until it is enabled; `draining`: the same until its connections are gone or `untilMs` has come,
   * and then `removed`.
   */
  readonly state?: 'quiesced' | 'draining' | 'removed';
  /** Milliseconds since 1970. Of `draining`; absent: however long it takes. */
  readonly untilMs?: number;
  /** In place of the declared one. */
  readonly weight?: number;
  readonly who: string;
  readonly why: string;
  readonly sinceMs: number;
}

export interface Standing {
  readonly isUp: boolean;
  /** The first probe's that finds it down. */
  readonly reason: string | undefined;
  /** Once it has come back fully. */
  readonly weight: number;
  readonly isRemoved: boolean;
}

/** `healths`: of all its probes; those of which nothing is known yet do not count. */
export function standing(
  { weight }: Pick<Destination, 'weight'>,
  healths: readonly (Health | undefined)[],
  override: Override | undefined,
): Standing {
  const failing = healths.find((health) => health?.state === 'down');
  const isQuiesced = override?.state !== undefined || healths.some((health) => health?.weight.isQuiesced === true);
  return {
    isUp: failing === undefined,
    reason: failing?.reason,
    weight: isQuiesced ? 0 : (override?.weight ?? advised(weight, healths)),
    isRemoved: override?.state === 'removed',
  };
}

/** What it says of itself: a weight of its own, or a part of the declared one. One that is not 0 stays above 0. */
function advised(weight: number, healths: readonly (Health | undefined)[]): number {
  const value = healths.reduce<number | undefined>((found, health) => health?.weight.value ?? found, undefined);
  const base = value ?? weight;
  const percents = healths.flatMap((health) => health?.weight.percent ?? []);
  const share = percents.reduce((product, percent) => (product * percent) / 100, 1);
  return share === 0 ? 0 : Math.min(mostWeight, Math.max(Math.min(base, 1), Math.round(base * share)));
}

const mostWeight = 2147483647;
