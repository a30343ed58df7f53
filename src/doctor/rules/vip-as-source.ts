// The address by which the kernel speaks to real servers must be none that they have too.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

export function vipAsSource({ director, network, system }: Ward): readonly Problem[] {
  const vips = new Set(director?.vips);
  const told = new Map<string, Problem>();
  for (const finding of director?.findings ?? []) {
    const { rip, way } = finding;
    const source = network.wayTo(rip)?.source;
    if (way === undefined || source === undefined || !vips.has(source) || told.has(source)) continue;
    if (hasVip(finding)) told.set(source, toProblem(source, way, system));
    else if (mayTell(finding) && othersOn(way.interface.name, source, system).length > 0)
      told.set(source, toStranger(source, way, system));
  }
  return [...told.values()];
}

/** Of IPv4: neighbour discovery speaks by link-local addresses, and IPv6 takes packets from its own addresses. */
function hasVip({ rip, destination: { method } }: Finding): boolean {
  return !rip.includes(':') && (method === 'gate' || method === 'tunnel');
}

/** fullnat by the address that the kernel takes: the one that real servers know as the director's. */
function mayTell({ service, destination: { method, rip } }: Finding): boolean {
  return method === 'fullnat' && !service.localAddresses.some(({ family }) => family === rip.family);
}

function othersOn(name: string, vip: string, { addresses }: Ward['system']): Ward['system']['addresses'] {
  return addresses.filter(
    (one) =>
      one.interface === name && one.isGlobal && one.address !== vip && one.address.includes(':') === vip.includes(':'),
  );
}

function toStranger(
  vip: string,
  { interface: { name } }: NonNullable<Finding['way']>,
  system: Ward['system'],
): Problem {
  const held = system.addresses.find(({ address }) => address === vip);
  const place = held?.interface ?? name;
  const own = othersOn(name, vip, system)[0]?.address ?? '';
  return {
    id: 'vip-as-source',
    wrong: `this director speaks to real servers by the VIP ${vip}`,
    why: `fullnat: real servers believe who clients are of the director's own address, ${own}, and not of another one`,
    evidence: `\`ip route get\` of a real server names ${vip} as its source`,
    mend: { command: notAsSource(vip, place, system), isSafe: false },
  };
}

/** IPv6 speaks by no address that is deprecated; of IPv4's the oldest one of a network speaks. */
function notAsSource(vip: string, place: string, { addresses }: Ward['system']): string {
  const held = addresses.find(({ address }) => address === vip);
  return vip.includes(':')
    ? `ip -6 address change ${vip}/${held?.prefix ?? 128} dev ${place} preferred_lft 0`
    : // With the oldest one the younger ones of its network would go.
      `sysctl -w net.ipv4.conf.${place}.promote_secondaries=1 && ip address del ${vip}/${held?.prefix} dev ${place} && ip address add ${vip}/32 dev ${place}`;
}

function toProblem(vip: string, { interface: { name } }: NonNullable<Finding['way']>, system: Ward['system']): Problem {
  const held = system.addresses.find(({ address }) => address === vip);
  const isOwn = othersOn(name, vip, system).some(
    ({ address }) => held && isInNetwork(parseAddress(address), parseAddress(vip), held.prefix),
  );
  const place = held?.interface ?? name;
  const moveVip = notAsSource(vip, place, system);
  return {
    id: 'vip-as-source',
    wrong: `this director speaks to real servers by the VIP ${vip}`,
    why: 'gate and tunnel: real servers have the VIP too, and take neither an ARP request nor a tunnel from an address of their own',
    evidence: `\`ip route get\` of a real server names ${vip} as its source: in its network it is the oldest address of ${place}`,
    mend: {
      command: isOwn
        ? moveVip
        : `ip address add "\${DIP:?set it to an address that this director has for itself, and its prefix length}" dev ${name} && ${moveVip}`,
      isSafe: false,
    },
  };
}
