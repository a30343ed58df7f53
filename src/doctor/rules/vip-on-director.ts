// The VIP must be an address of the director, and so must fullnat's: else nobody answers ARP for them, and no packet comes.
import { formatAddress } from '../../model/address.ts';
import type { Problem } from '../problem.ts';
import { vipsOf, type Ward } from '../ward.ts';
import { answerers } from './address-answered.ts';
import { holderOf } from './holder.ts';

export async function vipOnDirector(ward: Ward): Promise<readonly Problem[]> {
  const services = ward.director?.services ?? [];
  const locals = services.flatMap(({ localAddresses }) => localAddresses.map(formatAddress));
  const isMissing = (wanted: string): boolean => !ward.system.addresses.some(({ address }) => address === wanted);
  const vips = await Promise.all(
    vipsOf(services)
      .filter(isMissing)
      .map(async (vip) => {
        // A director that has it: this one stands by, and must not take it away.
        const answers = await answerers(vip, ward);
        return answers.some(({ realServer }) => realServer === undefined) ? [] : [toProblem(vip, 'the VIP', ward)];
      }),
  );
  return [
    ...vips.flat(),
    ...[...new Set(locals)].filter(isMissing).map((local) => toProblem(local, "fullnat's local address", ward)),
  ];
}

function toProblem(address: string, role: string, ward: Ward): Problem {
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
