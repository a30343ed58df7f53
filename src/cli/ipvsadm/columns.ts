// The columns of ipvsadm's listings: endpoints by number or by name, and counters in nine characters.
import { type Address, formatAddress } from '../../model/address.ts';
import type { ConnectionProtocol } from '../../model/director.ts';
import type { Method, Protocol, ServiceIdentity, Tunnel } from '../../model/service.ts';
import type { Host } from './host.ts';

export type EndpointFormat = (address: Address, port: number, protocol: Protocol | undefined) => string;

export const numericEndpoint: EndpointFormat = (address, port) =>
  `${bracketed(address, formatAddress(address))}:${port}`;

/** Names instead of numbers, where there are names. Without a protocol (a mark's service) ports stay numbers. */
export async function namedEndpoints(addresses: Iterable<Address>, host: Host): Promise<EndpointFormat> {
  const names = await host.namesOf(addresses);
  return (address, port, protocol) => {
    const text = formatAddress(address);
    const service = protocol && host.serviceOf(port, protocol);
    return `${bracketed(address, names.get(text) ?? text)}:${service ?? port}`;
  };
}

const protocolLabels: Readonly<Record<ConnectionProtocol, string>> = {
  tcp: 'TCP',
  udp: 'UDP',
  sctp: 'SCTP',
  esp: 'ESP',
  ah: 'AH',
  ip: 'IP',
};
const protocolOptions: Readonly<Record<Protocol, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

export function protocolLabel(protocol: ConnectionProtocol): string {
  return protocolLabels[protocol];
}

/** `TCP  10.0.0.100:80`, `FWM  7 IPv6`. */
export function serviceLabel(identity: ServiceIdentity, endpoint: EndpointFormat): string {
  if (identity.kind === 'mark') return `FWM  ${identity.mark | 0}${identity.family === 6 ? ' IPv6' : ''}`;
  const { protocol, vip, port } = identity;
  return `${protocolLabels[protocol].padEnd(4)} ${endpoint(vip, port, protocol)}`;
}

/** `-t 10.0.0.100:80`, `-f 7 -6`. ipvsadm writes marks as signed numbers, here as there. */
export function serviceOption(identity: ServiceIdentity, endpoint: EndpointFormat): string {
  if (identity.kind === 'mark') return `-f ${identity.mark | 0}${identity.family === 6 ? ' -6' : ''}`;
  const { protocol, vip, port } = identity;
  return `${protocolOptions[protocol]} ${endpoint(vip, port, protocol)}`;
}

export const methodLabels: Readonly<Record<Method, string>> = {
  masq: 'Masq',
  gate: 'Route',
  tunnel: 'Tunnel',
  fullnat: 'FullNat',
};

export const ipip: Tunnel = { type: 'ipip', port: 0, checksum: 'none' };

/** Of IPv4 as an address, of IPv6 as a length; none for a mask that tells single clients apart. */
export function maskText(mask: Address): string | undefined {
  if (mask.bytes.every((byte) => byte === 255)) return undefined;
  if (mask.family === 4) return formatAddress(mask);
  return String(mask.bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0));
}

export function counterColumn(value: bigint, isExact: boolean): string {
  const text = value.toString();
  if (isExact) return text.padStart(text.length <= 8 ? 9 : text.length + 1);
  const [divisor, unit] = scaleOf(value);
  return unit === '' ? text.padStart(9) : `${(value / divisor).toString().padStart(8)}${unit}`;
}

/** ipvsadm's steps: 100 million, a billion, 100 billion, 100 trillion; what is cut off is not rounded. */
function scaleOf(value: bigint): readonly [bigint, string] {
  if (value < 100_000_000n) return [1n, ''];
  if (value < 1_000_000_000n) return [1_000n, 'K'];
  if (value < 100_000_000_000n) return [1_000_000n, 'M'];
  return value < 100_000_000_000_000n ? [1_000_000_000n, 'G'] : [1_000_000_000_000n, 'T'];
}

function bracketed(address: Address, text: string): string {
  return address.family === 4 ? text : `[${text}]`;
}
