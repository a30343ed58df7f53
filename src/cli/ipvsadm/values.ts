// The values of ipvsadm's options: numbers as strtol reads them, marks, masks, and host[:port].
import { type Address, readAddress, readInetAton } from '../../model/address.ts';
import type { Protocol } from '../../model/service.ts';
import type { Host } from './host.ts';
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

/**
 * Reads `host[:port]`, `[v6]:port` or a bare `v6`. As ipvsadm does: what follows `]` must be a port, brackets around
 * anything but IPv6 hide the port after them, and a name is only ever looked up as IPv4.
 */
export async function readEndpoint(
  text: string,
  protocol: Protocol | undefined,
  host: Host,
): Promise<Endpoint | undefined> {
  if (/^[0-9]*$/.test(text)) return undefined;
  const bracketed = /^\[([^\]]*)\]:(.*)$/s.exec(text);
  if (text.startsWith('[') && bracketed === null) return undefined;
  const [, inner = text, portAfterBracket] = bracketed ?? [];
  const isLikeIpv6 = inner.indexOf(':') !== inner.lastIndexOf(':');
  const v6 = isLikeIpv6 ? readAddress(inner) : undefined;
  if (v6 !== undefined) return withPort(v6, portAfterBracket, protocol, host);
  const colon = inner.lastIndexOf(':');
  const address = await readHost(colon < 0 ? inner : inner.slice(0, colon), host);
  if (address === undefined) return undefined;
  return withPort(address, colon < 0 ? undefined : inner.slice(colon + 1), protocol, host);
}

/** An IPv4 address in any form of inet_aton, or a name that has one. */
export async function readHost(text: string, host: Host): Promise<Address | undefined> {
  const address = readInetAton(text);
  // The resolver takes words of digits and dots for bad addresses, not for names.
  if (address !== undefined || /^[0-9.]*$/.test(text)) return address;
  return await host.addressOf(text);
}

function withPort(
  address: Address,
  text: string | undefined,
  protocol: Protocol | undefined,
  host: Host,
): Endpoint | undefined {
  if (text === undefined) return { address, port: undefined };
  const port = readNumber(text, 0, 65535) ?? (protocol && host.portOf(text, protocol));
  return port === undefined ? undefined : { address, port };
}
