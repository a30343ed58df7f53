// The VIP must be an address of the director, and so must fullnat's: else nobody answers ARP for them, and no packet comes.
import { formatAddress } from '../../model/address.ts';
import type { Problem } from '../problem.ts';
import { vipsOf, type Ward } from '../ward.ts';
import { holderOf } from './holder.ts';

export function vipOnDirector(ward: Ward): readonly Problem[] {
  const services = ward.director?.services ?? [];
  const locals = services.flatMap(({ localAddresses }) => localAddresses.map(formatAddress));
  return [
    ...vipsOf(services).map((vip) => toProblem(vip, 'the VIP', ward)),
    ...[...new Set(locals)].map((local) => toProblem(local, "fullnat's local address", ward)),
  ].flatMap((problem) => problem ?? []);
}

function toProblem(address: string, role: string, ward: Ward): Problem | undefined {
  if (ward.system.addresses.some((one) => one.address === address)) return undefined;
  return {
    id: 'vip-not-on-director',
    wrong: `no interface of this director has ${role} ${address}`,
    why: 'routers ask by ARP (or IPv6 by neighbour discovery) who has it, and nobody answers',
    evidence: `\`ip address\` shows no ${address}`,
    mend: {
      command: `ip address add ${address}/${address.includes(':') ? 128 : 32} dev ${holderOf(address, ward)}`,
      isSafe: true,
    },
  };
}
