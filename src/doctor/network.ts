// The ways out of this network namespace: which interface, gateway and source the kernel takes towards an address.
import type { Interface } from '../kernel/interfaces.ts';
import { isInNetwork, parseAddress } from '../model/address.ts';
import type { System } from '../realserver/system.ts';
import { ask } from './ask.ts';

export interface Way {
  readonly interface: Interface;
  /** undefined: the address is on this link. */
  readonly gateway: string | undefined;
  readonly source: string;
  /** The route's, where it has one; else the interface's. */
  readonly mtu: number;
}

export interface Network {
  /** undefined: there is none, or the address is this machine's own. */
  wayTo(address: string): Way | undefined;
  /** Does this machine take what is for that address? */
  isOwn(address: string): boolean;
  /** True also for this machine's own addresses. `from`: as rules route what comes from that address of this machine. */
  isReachable(address: string, from?: string): boolean;
  /** The kernel's next hop, and the table that it is from if that is not `main`. `from`: as above. */
  routeTo(address: string, from?: string): Route | undefined;
  /** The route that throws away what goes there, as `blackhole 192.0.2.0/24`, with its table if that is not `main`. */
  refusalOf(address: string): string | undefined;
  /** The rule that throws away what comes from this address of this machine, or goes there: `priority 1 from 192.0.2.10 prohibit`. */
  refusingRule(end: 'from' | 'to', address: string): string | undefined;
  /** The neighbour that somebody has written down on this interface, and the kernel asks nobody about. */
  permanentMac(address: string, interfaceName: string): string | undefined;
}

interface IpRoute {
  readonly type?: string;
  readonly dst?: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly prefsrc?: string;
  readonly table?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

interface IpRule {
  readonly priority: number;
  readonly src?: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly action?: string;
}

interface IpNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
}

export interface Route {
  readonly gateway?: string;
  readonly table?: string;
}

/** undefined: there is none. */
export function readRoute(address: string, from?: string): Route | undefined {
  const words = from === undefined ? [address] : [address, 'from', from];
  return ask<readonly IpRoute[]>(['ip', '-j', 'route', 'get', ...words])?.[0];
}

const refusing: readonly string[] = ['blackhole', 'unreachable', 'prohibit'];

/** Of a table's routes that match, which are told from the widest to the narrowest, the last one is taken; a rule's table comes before main. */
function readRefusal(address: string): string | undefined {
  const family = address.includes(':') ? '-6' : '-4';
  const found = ask<readonly IpRoute[]>([
    'ip',
    '-j',
    family,
    'route',
    'show',
    'table',
    'all',
    'match',
    address,
  ])?.filter(({ type = '' }) => refusing.includes(type));
  const one = found?.filter(({ table }) => table !== undefined).at(-1) ?? found?.at(-1);
  return one && `${one.type} ${one.dst}${one.table === undefined ? '' : ` table ${one.table}`}`;
}

function readRefusingRule(end: 'from' | 'to', address: string): string | undefined {
  const family = address.includes(':') ? '-6' : '-4';
  const found = ask<readonly IpRule[]>(['ip', '-j', family, 'rule'])?.find((rule) => {
    const prefix = isAboutAlone(end, rule) ? prefixOf(end, rule) : undefined;
    return prefix !== undefined && isInNetwork(parseAddress(address), parseAddress(prefix.address), prefix.bits);
  });
  const prefix = found && prefixOf(end, found);
  return prefix && `priority ${found.priority} ${end} ${prefix.address}/${prefix.bits} ${found.action}`;
}

/** One that also asks for a mark, a port or another end may be about other packets. */
function isAboutAlone(end: 'from' | 'to', rule: IpRule): boolean {
  const known = ['priority', 'src', 'srclen', 'action', ...(end === 'to' ? ['dst', 'dstlen'] : [])];
  return (
    refusing.includes(rule.action ?? '') &&
    Object.keys(rule).every((key) => known.includes(key)) &&
    (end === 'from' || rule.src === 'all')
  );
}

function prefixOf(end: 'from' | 'to', rule: IpRule): { readonly address: string; readonly bits: number } | undefined {
  const [address, length] = end === 'from' ? [rule.src, rule.srclen] : [rule.dst, rule.dstlen];
  if (address === undefined || address === 'all') return undefined;
  return { address, bits: length ?? (address.includes(':') ? 128 : 32) };
}

export function readNetwork({ interfaces }: Pick<System, 'interfaces'>): Network {
  const known = new Map<string, IpRoute | undefined>();
  const routeTo = (address: string, from?: string): IpRoute | undefined => {
    const key = `${address} ${from ?? ''}`;
    if (!known.has(key)) known.set(key, readRoute(address, from));
    return known.get(key);
  };
  const neighbours = ask<readonly IpNeighbour[]>(['ip', '-j', 'neigh', 'show', 'nud', 'permanent']) ?? [];
  return {
    isOwn: (address) => routeTo(address)?.type === 'local',
    isReachable: (address, from) => routeTo(address, from) !== undefined,
    routeTo,
    refusalOf: readRefusal,
    refusingRule: readRefusingRule,
    permanentMac: (address, interfaceName) =>
      neighbours.find(({ dst, dev }) => dst === address && dev === interfaceName)?.lladdr,
    wayTo(address) {
      const route = routeTo(address);
      const found = interfaces.find(({ name }) => name === route?.dev);
      if (route === undefined || found === undefined || route.type === 'local' || route.prefsrc === undefined)
        return undefined;
      const mtu = route.metrics?.find((one) => one.mtu !== undefined)?.mtu ?? found.mtu;
      return { interface: found, gateway: route.gateway, source: route.prefsrc, mtu };
    },
  };
}
