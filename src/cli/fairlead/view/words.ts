// How services and destinations, and how they stand, are said in words.
import type { DestinationStatus, ServiceStatus } from '../../../api/contract.ts';

/** A service's key as commands take it: `192.0.2.10:80/tcp`, `mark/7` or `mark/7/ipv6`. */
export function toServiceWord(key: string): string {
  const [kind = '', name = '', family] = key.split(' ');
  if (kind !== 'mark') return `${name}/${kind}`;
  return family === '6' ? `mark/${name}/ipv6` : `mark/${name}`;
}

/** undefined: nobody declares it. */
export function stateOfService(declared: ServiceStatus | undefined): string {
  if (declared === undefined) return '-';
  return declared.isQuorumLost ? 'quorum lost' : 'up';
}

export function stateOf({ isUp, override, checks }: DestinationStatus): string {
  if (override?.state !== undefined)
    return { quiesced: 'disabled', draining: 'draining', removed: 'drained' }[override.state];
  if (!isUp) return 'down';
  return checks.some(({ state }) => state === 'up') ? 'up' : 'not checked';
}

export function whyOf({ reason, override }: DestinationStatus): string {
  const said = override && `${override.why === '' ? 'no reason was given' : override.why} (${override.who})`;
  return [reason, said].filter((text) => text !== undefined).join('; ');
}

/** 64 bits reach to here. */
const units = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** Two digits or three, and the unit: `12`, `1.2k`, `120M`. */
export function compact(exact: number | bigint): string {
  const value = Number(exact);
  const power = units.findIndex((_, index) => value < 999.5 * 1000 ** index);
  const scaled = value / 1000 ** power;
  const text = scaled < 9.95 ? scaled.toFixed(1).replace(/\.0$/, '') : String(Math.round(scaled));
  return `${text}${units[power] ?? ''}`;
}

/** `40s`, `5m`, `3h`, `12d`: since then. */
export function formatAge(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
