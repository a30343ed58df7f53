// By which kind of tunnel the director's packets for a VIP come.
import type { Tunnel } from '../model/service.ts';

export interface TunnelEnd {
  readonly type: Tunnel['type'];
  /** UDP port of GUE; 0 for the others. */
  readonly port: number;
}

export const tunnelTypes = ['ipip', 'gre', 'gue'] as const satisfies readonly Tunnel['type'][];

export const ipip: TunnelEnd = { type: 'ipip', port: 0 };

/** `ipip`, `gre`, `gue 6080`. */
export function formatTunnel({ type, port }: TunnelEnd): string {
  return type === 'gue' ? `gue ${port}` : type;
}

/** Of an address as text. */
export function isSix(address: string): boolean {
  return address.includes(':');
}
