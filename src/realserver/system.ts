// What this network namespace looks like before anything is changed: interfaces, addresses, ways out, qdiscs, settings.
import { ENOENT, isErrno } from '../kernel/errno.ts';
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import { readSysctl } from '../kernel/sysctl.ts';
import { run } from './command.ts';

export interface System {
  readonly interfaces: readonly Interface[];
  readonly addresses: readonly AssignedAddress[];
  /** Names of the interfaces that default routes leave by. */
  readonly waysOut: readonly string[];
  /** Names of the interfaces that have a clsact qdisc. */
  readonly clsact: readonly string[];
  /** Of net.ipv4.conf, for an interface's name or `all`. Empty where there is no such setting. */
  setting(interfaceName: string, name: string): string;
}

/** An address of this machine. */
export interface AssignedAddress {
  readonly interface: string;
  readonly address: string;
  /** Or IPv6's neighbours. lo and dummy interfaces never answer. */
  readonly answersArp: boolean;
}

export function readSystem(): System {
  return {
    interfaces: interfaces(),
    addresses: readAddresses(),
    waysOut: readWaysOut(),
    clsact: readClsact(),
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
  readonly addr_info: readonly { readonly local?: string }[];
}

export function readAddresses(): readonly AssignedAddress[] {
  return list<IpAddress>(['ip', '-j', 'address', 'show']).flatMap(({ ifname, flags, addr_info: all }) =>
    all.flatMap(({ local }) => {
      const answersArp = !flags.includes('NOARP') && !flags.includes('LOOPBACK');
      return local === undefined ? [] : [{ interface: ifname, address: local, answersArp }];
    }),
  );
}

interface IpRoute {
  readonly dev?: string;
  readonly nexthops?: readonly { readonly dev?: string }[];
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
