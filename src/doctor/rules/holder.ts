// On which interface of a director a VIP belongs.
import type { Ward } from '../ward.ts';

/** Where its network is; else where the way out is. */
export function holderOf(vip: string, { network, system }: Ward): string {
  const way = network.wayTo(vip);
  if (way !== undefined) return way.interface.name;
  return system.waysOut[0] ?? system.interfaces.find(({ linkType }) => linkType === 'ether')?.name ?? 'lo';
}
