// The values of ipvsadm's options: numbers as strtol reads them, marks, masks, and host[:port].
import { type Address, readAddress, readInetAton } from '../../model/address.ts';
import type { Protocol } from '../../model/service.ts';
import { refuse } from './refusal.ts';

/** 31 days: the most that -p and --set take. */
const maxTimeoutS = 86_400 * 31;
export const intMax = 2_147_483_647;

export function readNumber(text: string, min: number, max: number): number | undefined {
  const digits = /^[ \t\n\v\f\r]*([+-]?[0-9]+)$/.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const number = Number(digits);
  // + 0 makes 0 of -0.
  return number >= min && number <= max ? number + 0 : undefined;
}

export function readTimeout(text: string, min: number): number {
  return readNumber(text, min, maxTimeoutS) ?? refuse(`invalid timeout value \`${text}' specified`);
}

export function readMark(text: string): number {
  return readNumber(text, 1, 0xffffffff) ?? refuse(`invalid fwmark value \`${text}' specified`);
}

export interface Endpoint {
  readonly address: Address;
  /** undefined: none was given. */
  readonly port: number | undefined;
}

/** What stands behind names; either may throw where it does not know yet. */
export interface Names {
  addressOf(name: string): Address | undefined;
  portOf(service: string, protocol: Protocol): number | undefined;
}

/**
 * Reads `host[:port]`, `[v6]:port` or a bare `v6`. As ipvsadm does: what follows `]` must be a port, brackets around
 * anything but IPv6 hide the port after them, and a name is only ever looked up as IPv4.
 */
export function readEndpoint(text: string, protocol: Protocol | undefined, names: Names): Endpoint | undefined {
  const colon = text.lastIndexOf(':');
  const plain = readAddress(colon < 0 ? text : text.slice(0, colon));
  return plain?.family === 4
    ? withPort(plain, colon < 0 ? undefined : text.slice(colon + 1), protocol, names)
    : readOther(text, protocol, names);
}

/** All but four decimal numbers, which nearly all are. */
function readOther(text: string, protocol: Protocol | undefined, names: Names): Endpoint | undefined {
  if (/^[0-9]*$/.test(text)) return undefined;
  const bracketed = /^\[([^\]]*)\]:(.*)$/s.exec(text);
  if (text.startsWith('[') && bracketed === null) return undefined;
  const [, inner = text, portAfterBracket] = bracketed ?? [];
  const isLikeIpv6 = inner.indexOf(':') !== inner.lastIndexOf(':');
  const v6 = isLikeIpv6 ? readAddress(inner) : undefined;
  if (v6 !== undefined) return withPort(v6, portAfterBracket, protocol, names);
  const colon = inner.lastIndexOf(':');
  const address = readHost(colon < 0 ? inner : inner.slice(0, colon), names);
  if (address === undefined) return undefined;
  return withPort(address, colon < 0 ? undefined : inner.slice(colon + 1), protocol, names);
}

/** An IPv4 address in any form of inet_aton, or a name that has one. */
export function readHost(text: string, names: Names): Address | undefined {
  const address = readInetAton(text);
  // The resolver takes words of digits and dots for bad addresses, not for names.
  if (address !== undefined || /^[0-9.]*$/.test(text)) return address;
  return names.addressOf(text);
}

function withPort(
  address: Address,
  text: string | undefined,
  protocol: Protocol | undefined,
  names: Names,
): Endpoint | undefined {
  if (text === undefined) return { address, port: undefined };
  const port = readNumber(text, 0, 65535) ?? (protocol && names.portOf(text, protocol));
  return port === undefined ? undefined : { address, port };
}
