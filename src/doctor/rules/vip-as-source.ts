// The address by which the kernel speaks to real servers must be none that they have too.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { vipsOf, type Ward } from '../ward.ts';

/** Of IPv4: neighbour discovery speaks by link-local addresses, and IPv6 takes packets from its own addresses. */
export function vipAsSource({ director, network, system }: Ward): readonly Problem[] {
  const vips = new Set(vipsOf(director?.services ?? []));
  const told = new Map<string, Problem>();
  for (const { rip, destination, way } of director?.findings ?? []) {
    if (way === undefined || rip.includes(':') || !hasVip(destination)) continue;
    const source = network.wayTo(rip)?.source;
    if (source === undefined || !vips.has(source)) continue;
    told.set(source, toProblem(source, way, system));
  }
  return [...told.values()];
}

function hasVip({ method }: Finding['destination']): boolean {
  return method === 'gate' || method === 'tunnel';
}

function toProblem(
  vip: string,
  { interface: { name } }: NonNullable<Finding['way']>,
  { addresses }: Ward['system'],
): Problem {
  const held = addresses.find(({ address }) => address === vip);
  const others = addresses.filter((one) => one.interface === name && one.isGlobal && one.address !== vip);
  const isOwn = others.some(
    ({ address }) => held && isInNetwork(parseAddress(address), parseAddress(vip), held.prefix),
  );
  const place = held?.interface ?? name;
  // Of a network's addresses the oldest one speaks, and with it the younger ones would go.
  const moveVip = `sysctl -w net.ipv4.conf.${place}.promote_secondaries=1 && ip address del ${vip}/${held?.prefix} dev ${place} && ip address add ${vip}/32 dev ${place}`;
  return {
    id: 'vip-as-source',
    wrong: `this director speaks to real servers by the VIP ${vip}`,
    why: 'gate and tunnel: real servers have the VIP too, and take neither an ARP request nor a tunnel from an address of their own',
    evidence: `\`ip route get\` of a real server names ${vip} as its source: in its network it is the oldest address of ${place}`,
    mend: {
      command: isOwn
        ? moveVip
        : `ip address add "\${DIP:?set it to an address of this director's own, and its prefix length}" dev ${name} && ${moveVip}`,
      isSafe: false,
    },
  };
}
