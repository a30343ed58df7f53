// This network namespace's interfaces, as `ip -d link` and `ethtool -i` tell them.
import { FairleadError } from '../model/error.ts';
import { ENODEV, EOPNOTSUPP, isErrno } from './errno.ts';
import { addressOf } from './ffi.ts';
import { close, indexToName, ioctl, socket } from './libc.ts';
import { dump, readAttributes, textAttribute } from './netlink.ts';

export interface Interface {
  readonly index: number;
  readonly name: string;
  /** What rtnetlink calls its kind: veth, bridge, vlan, bond, ...; undefined for hardware and for lo. */
  readonly kind: string | undefined;
  /** ether, loopback, none, ...; ARPHRD_'s number for a rare one. */
  readonly linkType: string;
  /** As `ip` prints it; empty when the link type has none. */
  readonly mac: string;
  readonly mtu: number;
  readonly isUp: boolean;
  /** Has a carrier. */
  readonly isRunning: boolean;
  /** Index of the bridge or bond that it is a port of. */
  readonly master: number | undefined;
  /** Index of the interface below a vlan or macvlan, or of a veth's peer, perhaps in another namespace. */
  readonly link: number | undefined;
  readonly driver: string | undefined;
  /** Id of the XDP program attached, if there is one. */
  readonly xdpProgram: number | undefined;
}

const RTM_GETLINK = 18;
const IFLA = { address: 1, name: 3, mtu: 4, link: 5, master: 10, info: 18, xdp: 43 } as const;
const IFLA_INFO_KIND = 1;
const IFLA_XDP_PROG_ID = 4;
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const ifinfomsgBytes = 16;
const linkTypes: Readonly<Record<number, string>> = {
  1: 'ether',
  768: 'ipip',
  769: 'tunnel6',
  772: 'loopback',
  776: 'sit',
  778: 'gre',
  65534: 'none',
};

export function interfaces(): Interface[] {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  try {
    return dump(RTM_GETLINK, Buffer.alloc(ifinfomsgBytes)).map((message) => toInterface(message, fd));
  } finally {
    close(fd);
  }
}

/** Its index when there is none (any more). */
export function interfaceName(ifindex: number): string {
  return indexToName(ifindex) ?? String(ifindex);
}

/** Throws interface-missing: the kernel's own answers to a wrong index differ from call to call. */
export function requireInterface(ifindex: number): void {
  if (indexToName(ifindex) !== undefined) return;
  throw new FairleadError('interface-missing', `there is no interface with index ${ifindex} in this network namespace`);
}

function toInterface(message: Buffer, fd: number): Interface {
  const attributes = readAttributes(message.subarray(ifinfomsgBytes));
  const flags = message.readUInt32LE(8);
  const type = message.readUInt16LE(2);
  const name = textAttribute(attributes.get(IFLA.name)) ?? '';
  return {
    index: message.readInt32LE(4),
    name,
    kind: textAttribute(readAttributes(attributes.get(IFLA.info)).get(IFLA_INFO_KIND)),
    linkType: linkTypes[type] ?? String(type),
    mac:
      attributes
        .get(IFLA.address)
        ?.toString('hex')
        .replace(/(..)(?=.)/g, '$1:') ?? '',
    mtu: attributes.get(IFLA.mtu)?.readUInt32LE() ?? 0,
    isUp: (flags & IFF_UP) !== 0,
    isRunning: (flags & IFF_RUNNING) !== 0,
    master: attributes.get(IFLA.master)?.readUInt32LE(),
    link: attributes.get(IFLA.link)?.readUInt32LE(),
    driver: readDriver(fd, name),
    xdpProgram: readAttributes(attributes.get(IFLA.xdp)).get(IFLA_XDP_PROG_ID)?.readUInt32LE(),
  };
}

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCETHTOOL = 0x8946;
const ETHTOOL_GDRVINFO = 3;
/** struct ethtool_drvinfo; `driver` follows `cmd`. */
const drvinfoBytes = 196;
const driverBytes = 32;

function readDriver(fd: number, name: string): string | undefined {
  const info = Buffer.alloc(drvinfoBytes);
  info.writeUInt32LE(ETHTOOL_GDRVINFO);
  const request = Buffer.alloc(40);
  request.write(name, 0, 15);
  request.writeBigUInt64LE(addressOf(info), 16);
  try {
    ioctl(fd, SIOCETHTOOL, request, name);
  } catch (error) {
    if (isErrno(error, EOPNOTSUPP, ENODEV)) return undefined;
    throw error;
  }
  return info.toString('latin1', 4, 4 + driverBytes).replace(/\0.*$/s, '');
}
