// Reads tcpdump's capture stream (pcap with nanoseconds, this machine's byte order) as it grows.
export interface RawPacket {
  readonly timeNs: bigint;
  /** As much of the frame as was captured. */
  readonly bytes: Buffer;
}

const fileHeaderLength = 24;
const packetHeaderLength = 16;
const magicNanoseconds = 0xa1b23c4d;
const linkTypeEthernet = 1;

/** Feed it what arrives, in any pieces; it returns the packets completed by each piece. */
export function createPcapReader(): (piece: Buffer) => RawPacket[] {
  let pending = Buffer.alloc(0);
  let started = false;
  return (piece) => {
    pending = Buffer.concat([pending, piece]);
    if (!started) {
      if (pending.length < fileHeaderLength) return [];
      requireEthernet(pending);
      pending = pending.subarray(fileHeaderLength);
      started = true;
    }
    const packets: RawPacket[] = [];
    while (pending.length >= packetHeaderLength) {
      const end = packetHeaderLength + pending.readUInt32LE(8);
      if (pending.length < end) break;
      const timeNs = BigInt(pending.readUInt32LE(0)) * 1_000_000_000n + BigInt(pending.readUInt32LE(4));
      packets.push({ timeNs, bytes: pending.subarray(packetHeaderLength, end) });
      pending = pending.subarray(end);
    }
    return packets;
  };
}

function requireEthernet(header: Buffer): void {
  const magic = header.readUInt32LE(0);
  const linkType = header.readUInt32LE(20) & 0x0fffffff;
  if (magic === magicNanoseconds && linkType === linkTypeEthernet) return;
  throw new Error(
    `expected a little-endian nanosecond capture of Ethernet, got magic ${magic.toString(16)}, link type ${linkType}`,
  );
}
