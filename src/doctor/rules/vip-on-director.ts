// The VIP must be an address of the director, and so must fullnat's: else nobody answers ARP for them, and no packet comes.
import { formatAddress } from '../../model/address.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';
import { answerers } from './address-answered.ts';
import { holderOf } from './holder.ts';

export async function vipOnDirector(ward: Ward): Promise<readonly Problem[]> {
  const services = ward.director?.services ?? [];
  const locals = new Set(services.flatMap(({ localAddresses }) => localAddresses.map(formatAddress)));
  const wanted = [
    ...(ward.director?.vips ?? []).map((address) => ({ address, role: 'the VIP' })),
    ...[...locals].map((address) => ({ address, role: "fullnat's local address" })),
  ];
  const found = await Promise.all(
    // A route of the table `local` makes addresses this machine's too.
    wanted
      .filter(({ address }) => !ward.network.isOwn(address))
      .map(async ({ address, role }) => {
        // A director that has it: this one stands by, and must not take it away.
        const answers = await answerers(address, ward);
        return answers.some(({ realServer }) => realServer === undefined) ? [] : [toProblem(address, role, ward)];
      }),
  );
  return found.flat();
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
