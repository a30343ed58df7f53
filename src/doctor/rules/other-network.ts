// gate and masq reach real servers of the director's own networks only.

import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { destinationOption, methodWords, serviceOption, type Ward } from '../ward.ts';

export function otherNetwork({ director }: Ward): readonly Problem[] {
  return (director?.findings ?? []).filter(isElsewhere).map(({ service, destination, rip, way, vip, outsider }) => ({
    id: 'other-network',
    wrong: `the real server ${rip} is not in a network of this director`,
    why:
      destination.method === 'gate'
        ? `gate changes the frame's MAC alone: the router ${way?.gateway} gets it and sends it back to whoever has ${vip}`
        : 'masq: its answers go to clients by its own router, from an address that they never asked',
    evidence: `\`ip route get ${rip}\` goes via ${way?.gateway}${outsider === 'silent' ? ', and its answer to a far address did not come here' : ''}`,
    mend: {
      command: `ipvsadm -e ${serviceOption(service)} ${destinationOption(destination)} ${methodWords({ ...destination, method: otherMethod(service) })}`,
      isSafe: false,
    },
  }));
}

/** fullnat asks nothing of the real server, but can't be had with one packet a connection. */
function otherMethod({ onePacket = false }: Finding['service']): 'fullnat' | 'tunnel' {
  return onePacket ? 'tunnel' : 'fullnat';
}

/** A masqueraded one may be behind a router, if that sends its answers here. */
export function isElsewhere({ destination, way, outsider }: Finding): boolean {
  if (way?.gateway === undefined) return false;
  return destination.method === 'gate' || (destination.method === 'masq' && outsider === 'silent');
}
