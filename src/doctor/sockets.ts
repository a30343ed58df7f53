// Ports of this machine's TCP, as the kernel lists its sockets.
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { type Address, equalAddresses, parseAddress } from '../model/address.ts';

export interface Socket {
  readonly address: Address;
  readonly port: number;
  readonly isListening: boolean;
}

export function readSockets(): readonly Socket[] {
  return ['tcp', 'tcp6'].flatMap((name) => parseSockets(readText(`/proc/self/net/${name}`)));
}

/** A kernel without IPv6 has no tcp6. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** State 0A is LISTEN. */
export function parseSockets(text: string): readonly Socket[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [, address, port] = /^((?:[\dA-F]{8}){1,4}):([\dA-F]{4})$/.exec(local) ?? [];
    if (address === undefined || port === undefined) return [];
    return [{ address: toAddress(address), port: Number.parseInt(port, 16), isListening: state === '0A' }];
  });
}

/** The kernel writes each four bytes as a number of this machine's. IPv4's by a socket of IPv6 are IPv4's. */
function toAddress(text: string): Address {
  const bytes = [...Buffer.from(text, 'hex')];
  if (endianness() === 'LE')
    for (let at = 0; at < bytes.length; at += 4) bytes.splice(at, 4, ...bytes.slice(at, at + 4).reverse());
  if (bytes.length === 4) return { family: 4, bytes };
  const isMapped = bytes.slice(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff));
  return isMapped ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes };
}

/** Of this machine alone, 127.0.0.1 and ::1, are none of the VIP's. */
export function listeningPorts(sockets: readonly Socket[]): readonly number[] {
  const own = [parseAddress('127.0.0.1'), parseAddress('::1')];
  const outward = sockets.filter((one) => one.isListening && !own.some((each) => equalAddresses(each, one.address)));
  return [...new Set(outward.map(({ port }) => port))].sort((a, b) => a - b);
}

/** Somebody uses them at this address itself: they are meant to be reached by it. */
export function portsOf(address: string, sockets: readonly Socket[]): readonly number[] {
  const own = parseAddress(address);
  return sockets.filter((one) => equalAddresses(one.address, own)).map(({ port }) => port);
}
