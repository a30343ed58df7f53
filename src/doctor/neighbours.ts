// Who has an address: asked by ARP (RFC 826) for IPv4, and by neighbour discovery (RFC 4861) for IPv6.
import { checksum, ethernet, formatMac, ip, ipFrame, pseudoHeader, sizeOfEthernet } from './frames.ts';

const etherType = { arp: 0x0806, ipv6: 0x86dd } as const;
const icmp6 = 58;
const [solicitation, advertisement] = [135, 136];
/** No router has forwarded it. */
const hopsOnLink = 255;
const broadcast = [255, 255, 255, 255, 255, 255];
const [sourceMac, targetMac] = [1, 2];

export function whoHasFrame(mac: readonly number[], source: readonly number[], target: readonly number[]): Buffer {
  if (target.length === 4) {
    const body = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...source, 0, 0, 0, 0, 0, 0, ...target];
    return ethernet(broadcast, mac, etherType.arp, Buffer.from(body));
  }
  const end = target.slice(13);
  const group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...end];
  const message = Buffer.from([solicitation, 0, 0, 0, 0, 0, 0, 0, ...target, sourceMac, 1, ...mac]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudoHeader(source, group, icmp6, message), message])), 2);
  return ipFrame([0x33, 0x33, 0xff, ...end], mac, ip(source, group, icmp6, message, hopsOnLink));
}

/** Who tells that it has an address. */
export interface Holder {
  readonly mac: string;
  readonly address: readonly number[];
}

export function readHolder(frame: Buffer): Holder | undefined {
  if (frame.length < sizeOfEthernet + 28) return undefined;
  switch (frame.readUInt16BE(12)) {
    case etherType.arp:
      if (frame.readUInt16BE(sizeOfEthernet + 6) !== 2) return undefined;
      return { mac: formatMac(frame.subarray(22, 28)), address: [...frame.subarray(28, 32)] };
    case etherType.ipv6:
      return readAdvertisement(frame.subarray(sizeOfEthernet));
    default:
      return undefined;
  }
}

function readAdvertisement(packet: Buffer): Holder | undefined {
  const message = packet.subarray(40);
  if (message.length < 32 || packet.readUInt8(6) !== icmp6 || message.readUInt8(0) !== advertisement) return undefined;
  if (packet.readUInt8(7) !== hopsOnLink || message.readUInt8(24) !== targetMac) return undefined;
  return { mac: formatMac(message.subarray(26, 32)), address: [...message.subarray(8, 24)] };
}
