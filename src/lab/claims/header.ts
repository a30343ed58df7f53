// Compares a packet before and after the director byte by byte.
import { innermost, type Ip } from '../packets.ts';

/** What forwarding must change: the TTL, and with it the header's checksum (bytes 10 and 11). */
const mayChange: ReadonlySet<number> = new Set([8, 10, 11]);

/** Offsets into the IP header that differ, beyond TTL and checksum. */
export function changedHeaderBytes(before: Ip, after: Ip): number[] {
  const length = Math.max(before.header.length, after.header.length);
  return Array.from({ length }, (_, index) => index).filter(
    (index) => !mayChange.has(index) && before.header[index] !== after.header[index],
  );
}

/** TCP header, its checksum included, and payload. */
export function sameContent(before: Ip, after: Ip): boolean {
  const [a, b] = [innermost(before).body, innermost(after).body];
  return a?.kind === 'tcp' && b?.kind === 'tcp' && a.header.equals(b.header) && a.payload.equals(b.payload);
}
