// The VIP must be an address of the director: else nobody answers ARP for it, and no packet comes.
import type { Problem } from '../problem.ts';
import { vipsOf, type Ward } from '../ward.ts';
import { holderOf } from './holder.ts';

export function vipOnDirector(ward: Ward): readonly Problem[] {
  const { director, system } = ward;
  return vipsOf(director?.services ?? [])
    .filter((vip) => !system.addresses.some(({ address }) => address === vip))
    .map((vip) => ({
      id: 'vip-not-on-director',
      wrong: `no interface of this director has the VIP ${vip}`,
      why: 'routers ask by ARP (or IPv6 by neighbour discovery) who has it, and nobody answers',
      evidence: `\`ip address\` shows no ${vip}`,
      mend: {
        command: `ip address add ${vip}/${vip.includes(':') ? 128 : 32} dev ${holderOf(vip, ward)}`,
        isSafe: true,
      },
    }));
}
