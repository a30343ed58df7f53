// What must not be a real server's VIP, or the machine would be cut off, or clients would bypass the director. Pure.
import { isInNetwork, parseAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import { prefixMask } from '../model/mark.ts';
import type { System } from './system.ts';
import { isSix } from './tunnel.ts';

/** Throws address-unusable. */
export function refuseHarm(vip: string, system: System): void {
  for (const find of [ownAddress, gateway, sessionsClient, broadcast, network]) {
    const found = find(vip, system);
    if (found !== undefined) throw new FairleadError('address-unusable', found.message, { hint: found.hint });
  }
}

interface Harm {
  readonly message: string;
  readonly hint: string;
}

/**
 * Is it the address of that IPv4 network whose host bits are all this one? The kernel takes the last one for a broadcast,
 * whatever `ip address` was told (fib_add_ifaddr()), and before Linux 5.14 the first one as well.
 */
function isEndOf({ address, prefix }: System['addresses'][number], vip: string, bit: 0 | 1): boolean {
  const [one, wanted] = [parseAddress(address), parseAddress(vip)];
  if (wanted.family === 6 || prefix >= 31 || !isInNetwork(wanted, one, prefix)) return false;
  const mask = prefixMask(4, prefix).bytes;
  return wanted.bytes.every((byte, at) => (byte & ~(mask[at] ?? 0)) === bit * (255 - (mask[at] ?? 0)));
}

function ownAddress(vip: string, { addresses, session }: System): Harm | undefined {
  const holder = addresses.find(({ address, answersArp }) => address === vip && answersArp)?.interface;
  if (holder === undefined) return undefined;
  const own = addresses.filter((one) => one.interface === holder && one.isGlobal && isSix(one.address) === isSix(vip));
  const isOnly = own.every(({ address }) => address === vip);
  const message = `${holder} has ${vip} and answers ${isSix(vip) ? 'neighbours' : 'ARP'} for it`;
  if (session?.server === vip)
    return {
      message: `${message}, and this session comes by it`,
      hint: 'connect to another address of this machine, or the session ends with the first step',
    };
  if (isOnly)
    return {
      message: `${message}: it is the only address there, and the machine would be cut off without it`,
      hint: `give ${holder} an address of its own (the RIP) first`,
    };
  return {
    message,
    hint: `a real server must not, or clients bypass the director: ip addr del ${vip} dev ${holder}`,
  };
}

function gateway(vip: string, { gateways }: System): Harm | undefined {
  const found = gateways.find(({ address }) => address === vip);
  return (
    found && {
      message: `${vip} is the next hop of the route ${found.route}: with it on lo nothing would go that way any more`,
      hint: "a director's VIP and a real server's gateway must be two addresses",
    }
  );
}

function sessionsClient(vip: string, { session }: System): Harm | undefined {
  if (session?.client !== vip) return undefined;
  return {
    message: `this session's client is ${vip}: with it on lo the answers to it would not leave this machine`,
    hint: 'the VIP is an address of the director, and of no client',
  };
}

function broadcast(vip: string, { addresses }: System): Harm | undefined {
  const found = addresses.find((one) => one.broadcast === vip || isEndOf(one, vip, 1));
  return (
    found && {
      message: `${vip} is the broadcast address of ${found.interface}'s network`,
      hint: 'choose an address of a host',
    }
  );
}

function network(vip: string, { addresses }: System): Harm | undefined {
  const found = addresses.find((one) => isEndOf(one, vip, 0));
  return (
    found && {
      message: `${vip} is the address of ${found.interface}'s network itself`,
      hint: 'choose an address of a host',
    }
  );
}
