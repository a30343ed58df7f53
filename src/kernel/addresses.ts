// The addresses on this network namespace's interfaces, as `ip address` lists them.
import { indexToName } from './libc.ts';
import { dump, readAttributes } from './netlink.ts';

export interface InterfaceAddress {
  readonly interface: string;
  /** 4 or 16 bytes, network order. */
  readonly bytes: readonly number[];
  readonly prefixLength: number;
}

const RTM_GETADDR = 22;
const AF_INET = 2;
const AF_INET6 = 10;
const IFA = { address: 1, local: 2 } as const;
const ifaddrmsgBytes = 8;

export function interfaceAddresses(): InterfaceAddress[] {
  const names = new Map<number, string>();
  const nameOf = (index: number): string => {
    const name = names.get(index) ?? indexToName(index) ?? String(index);
    names.set(index, name);
    return name;
  };
  return dump(RTM_GETADDR, Buffer.alloc(ifaddrmsgBytes)).flatMap((message) => {
    const family = message.readUInt8(0);
    if (family !== AF_INET && family !== AF_INET6) return [];
    const attributes = readAttributes(message.subarray(ifaddrmsgBytes));
    // Of a point-to-point interface `address` is the other end's.
    const bytes = attributes.get(IFA.local) ?? attributes.get(IFA.address);
    if (bytes === undefined) return [];
    return [{ interface: nameOf(message.readUInt32LE(4)), bytes: [...bytes], prefixLength: message.readUInt8(1) }];
  });
}
