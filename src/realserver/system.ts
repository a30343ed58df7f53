// What this network namespace looks like before anything is changed: interfaces, addresses, ways out, qdiscs, settings.
import { ENOENT, isErrno } from '../kernel/errno.ts';
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import { readSysctl } from '../kernel/sysctl.ts';
import { FairleadError } from '../model/error.ts';
import { type ArpChain, hasArpChain, hasArpTable, readArpRules } from './arptables.ts';
import { run } from './command.ts';
import { readSession, type Session } from './session.ts';

/** Addresses far away. They are for measurements, so nobody's: RFC 2544 and RFC 5180. */
export const outsiders = { 4: '198.18.0.1', 6: '2001:2::1' } as const;

export interface System {
  readonly interfaces: readonly Interface[];
  readonly addresses: readonly AssignedAddress[];
  /** Names of the interfaces that default routes leave by. */
  readonly waysOut: readonly string[];
  /** The one that answers from this address of this machine to far away leave by, as rules route them. undefined: none is known. */
  wayFrom(address: string): string | undefined;
  /** Next hops of all routes, with the route as `ip` tells it. */
  readonly gateways: readonly Gateway[];
  /** Names of the interfaces that have a clsact qdisc. */
  readonly clsact: readonly string[];
  /** The ssh session that this runs in, if it runs in one. */
  readonly session: Session | undefined;
  /** Have rules of arptables a table yet? */
  hasArpTable(): boolean;
  hasArpChain(chain: ArpChain): boolean;
  /** By arpRuleKey(). */
  arpRules(): readonly string[];
  /** Of net.ipv4.conf, for an interface's name or `all`. Empty where there is no such setting. */
  setting(interfaceName: string, name: string): string;
}

export interface Gateway {
  readonly address: string;
  readonly route: string;
  /** The others of a route that has several at once. */
  readonly besides: readonly string[];
}

/** An address of this machine. */
export interface AssignedAddress {
  readonly interface: string;
  readonly address: string;
  /** Or IPv6's neighbours. lo and dummy interfaces never answer. */
  readonly answersArp: boolean;
  readonly isGlobal: boolean;
  /** Bits of its network. */
  readonly prefix: number;
  readonly broadcast: string | undefined;
}

export function readSystem(): System {
  const routes = ['-4', '-6'].flatMap((family) => list<IpRoute>(['ip', '-j', family, 'route', 'show', 'table', 'all']));
  return {
    interfaces: interfaces(),
    addresses: readAddresses(),
    waysOut: readWaysOut(),
    wayFrom: readWayFrom,
    gateways: routes.flatMap(gatewaysOf),
    clsact: readClsact(),
    session: readSession(),
    hasArpTable,
    hasArpChain,
    arpRules: readArpRules,
    setting: readSetting,
  };
}

export function settingPath(interfaceName: string, name: string): string {
  return `net/ipv4/conf/${interfaceName}/${name}`;
}

export function readSetting(interfaceName: string, name: string): string {
  try {
    return readSysctl(settingPath(interfaceName, name));
  } catch (error) {
    if (isErrno(error, ENOENT)) return ''; // the interface has just gone
    throw error;
  }
}

interface IpAddress {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly {
    readonly local?: string;
    readonly prefixlen?: number;
    readonly scope?: string;
    readonly broadcast?: string;
  }[];
}

export function readAddresses(): readonly AssignedAddress[] {
  return list<IpAddress>(['ip', '-j', 'address', 'show']).flatMap(({ ifname, flags, addr_info: all }) =>
    all.flatMap(({ local, prefixlen: prefix = 0, scope, broadcast }) => {
      const answersArp = !flags.includes('NOARP') && !flags.includes('LOOPBACK');
      const isGlobal = scope === 'global';
      return local === undefined
        ? []
        : [{ interface: ifname, address: local, answersArp, isGlobal, prefix, broadcast }];
    }),
  );
}

interface NextHop {
  readonly dev?: string;
  readonly gateway?: string;
  /** Of the other family. */
  readonly via?: { readonly host?: string };
}

interface IpRoute extends NextHop {
  readonly dst?: string;
  readonly nexthops?: readonly NextHop[];
}

function gatewaysOf(route: IpRoute): System['gateways'] {
  const hops = [route, ...(route.nexthops ?? [])];
  const all = hops.flatMap(({ gateway, via }) => gateway ?? via?.host ?? []);
  return hops.flatMap(({ gateway, via, dev }) => {
    const address = gateway ?? via?.host;
    if (address === undefined) return [];
    const besides = all.filter((one) => one !== address);
    return [{ address, route: `${route.dst ?? ''} via ${address} dev ${dev ?? '?'}`, besides }];
  });
}

/** undefined also where it is no address of this machine yet. */
function readWayFrom(address: string): string | undefined {
  const far = outsiders[address.includes(':') ? 6 : 4];
  try {
    return list<IpRoute>(['ip', '-j', 'route', 'get', far, 'from', address])[0]?.dev;
  } catch (error) {
    if (error instanceof FairleadError) return undefined;
    throw error;
  }
}

function readWaysOut(): readonly string[] {
  return list<IpRoute>(['ip', '-j', '-4', 'route', 'show', 'default']).flatMap((route) =>
    [route, ...(route.nexthops ?? [])].flatMap(({ dev }) => dev ?? []),
  );
}

interface TcQdisc {
  readonly kind: string;
  readonly dev: string;
}

function readClsact(): readonly string[] {
  return list<TcQdisc>(['tc', '-j', 'qdisc', 'show']).flatMap(({ kind, dev }) => (kind === 'clsact' ? [dev] : []));
}

/** Old releases of `ip` print nothing at all for an empty list, and empty objects for what a filter left out. */
function list<T extends object>(command: readonly string[]): readonly T[] {
  const rows = JSON.parse(run(command) || '[]') as readonly T[];
  return rows.filter((row) => Object.keys(row).length > 0);
}
