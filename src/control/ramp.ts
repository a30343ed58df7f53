// Slow start: a destination that came back gets its share step by step. Pure.
import type { Destination, Scheduler } from '../model/service.ts';

/** These go by weights. Others look at none (rr, lc), keep clients where they are (sh, dh, mh), or fill one after the other. */
const weighted: ReadonlySet<Scheduler> = new Set(['wrr', 'wlc', 'sed', 'nq', 'lblc', 'lblcr', 'twos']);
/** Weights of all are multiplied by this meanwhile, or a weight of 1 would have no steps. */
const steps = 100;
const mostWeight = 2147483647;

export interface Ramping {
  readonly destination: Destination;
  /** From 0 to 1; absent: it is not coming back. */
  readonly share?: number | undefined;
  readonly activeConnections: number;
}

/** As they are to be installed now. */
export function rampedDestinations(scheduler: Scheduler, all: readonly Ramping[]): readonly Destination[] {
  if (all.every(({ share }) => share === undefined)) return all.map(({ destination }) => destination);
  if (scheduler === 'lc') return all.map((one) => withThreshold(one, all));
  if (!weighted.has(scheduler)) return all.map(({ destination }) => destination);
  const most = Math.max(...all.map(({ destination }) => destination.weight));
  const factor = Math.max(1, Math.min(steps, Math.floor(mostWeight / Math.max(1, most))));
  return all.map(({ destination, share = 1 }) => {
    const weight = destination.weight * factor;
    return { ...destination, weight: weight === 0 ? 0 : Math.max(1, Math.round(weight * share)) };
  });
}

/** lc would give it every new connection until it has as many as the others: it gets its share of what they have. */
function withThreshold({ destination, share }: Ramping, all: readonly Ramping[]): Destination {
  const others = all.filter((one) => one.share === undefined && one.destination.weight > 0);
  if (share === undefined || others.length === 0) return destination;
  const mean = others.reduce((sum, one) => sum + one.activeConnections, 0) / others.length;
  const most = Math.max(1, Math.ceil(mean * share));
  const { upperThreshold = 0 } = destination;
  return { ...destination, upperThreshold: upperThreshold === 0 ? most : Math.min(most, upperThreshold) };
}
