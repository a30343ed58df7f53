// An address on lo that brings a whole network with it: the kernel takes all of that network for this machine.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import type { AssignedAddress } from '../../realserver/system.ts';
import type { Problem } from '../problem.ts';
import { ipOf, type Ward } from '../ward.ts';

export function vipPrefix({ system: { addresses } }: Ward): readonly Problem[] {
  const outside = addresses.filter((one) => one.interface !== 'lo' && one.isGlobal);
  return addresses
    .filter((one) => one.interface === 'lo' && one.prefix < hostBits(one.address))
    .flatMap((held) => {
      const covered = outside.find(({ address }) =>
        isInNetwork(parseAddress(address), parseAddress(held.address), held.prefix),
      );
      return covered === undefined ? [] : [toProblem(held, covered)];
    });
}

function toProblem({ address, prefix, isGlobal }: AssignedAddress, covered: AssignedAddress): Problem {
  const [ip, bits] = [ipOf(address), hostBits(address)];
  const scope = isGlobal || bits === 128 ? '' : ' scope host';
  return {
    id: 'vip-prefix',
    wrong: `${address} is on lo with a prefix of ${prefix} bits`,
    why: `gate and tunnel: with it this machine takes the whole network for itself, ${covered.interface}'s neighbours, director and gateway included, and answers none of them`,
    evidence: `\`ip address show lo\`: ${address}/${prefix}, and ${covered.address} of ${covered.interface} is in it`,
    mend: {
      command: `${ip} address del ${address}/${prefix} dev lo && ${ip} address replace ${address}/${bits} dev lo${scope}`,
      isSafe: true,
    },
  };
}

function hostBits(address: string): number {
  return address.includes(':') ? 128 : 32;
}
