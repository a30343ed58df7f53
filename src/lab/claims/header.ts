// Compares a packet before and after the director byte by byte.
import { type Ip, innermost } from '../packets.ts';

/** What forwarding must change: the TTL, and with it the header's checksum (bytes 10 and 11). */
const mayChange: ReadonlySet<number> = new Set([8, 10, 11]);

/** Equal but for one less TTL and its checksum; TCP, its checksum included, and payload equal byte for byte. */
export function isForwardedAsIs(before: Ip, after: Ip): boolean {
  return changedBytes(before, after).length === 0 && hasSameContent(before, after) && after.ttl === before.ttl - 1;
}

export function compareHeaders(before: Ip, after: Ip): string {
  const changed = changedBytes(before, after);
  const beyond = changed.length > 0 ? ` AND bytes ${changed.join(', ')}` : '';
  const content = hasSameContent(before, after) ? 'equal' : 'DIFFERENT';
  return `IP header equal but for TTL ${before.ttl} > ${after.ttl} and its checksum${beyond}, TCP ${content} byte for byte`;
}

/** Offsets into the IP header. */
function changedBytes(before: Ip, after: Ip): number[] {
  const length = Math.max(before.header.length, after.header.length);
  return Array.from({ length }, (_, index) => index).filter(
    (index) => !mayChange.has(index) && before.header[index] !== after.header[index],
  );
}

function hasSameContent(before: Ip, after: Ip): boolean {
  const [a, b] = [innermost(before).body, innermost(after).body];
  return a?.kind === 'tcp' && b?.kind === 'tcp' && a.header.equals(b.header) && a.payload.equals(b.payload);
}
