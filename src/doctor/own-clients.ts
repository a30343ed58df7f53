// On a real server: clients that servers here have answered by a VIP. TCP keeps for an hour or so how far away each of them was.
import { ask } from './ask.ts';

interface Metrics {
  readonly dst: string;
  /** Seconds. */
  readonly age?: number;
  readonly source?: string;
}

/** More say nothing new, and each is a question to the kernel. */
const mostClients = 64;
/** Who came before may have gone for good, with their networks. */
const oldestS = 3600;

/** By VIP, the latest first. */
export function readOwnClients(vips: readonly string[]): ReadonlyMap<string, readonly string[]> {
  if (vips.length === 0) return new Map();
  const known = (ask<readonly Metrics[]>(['ip', '-j', 'tcp_metrics', 'show']) ?? [])
    .filter(({ age = oldestS }) => age < oldestS)
    .sort((a, b) => (a.age ?? 0) - (b.age ?? 0));
  return new Map(
    vips.map((vip) => {
      const clients = known.filter(({ source }) => source === vip).map(({ dst }) => dst);
      return [vip, [...new Set(clients)].slice(0, mostClients)];
    }),
  );
}
