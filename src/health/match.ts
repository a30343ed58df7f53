// What a reply must hold.
import { createHash } from 'node:crypto';

export type Match =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'digest'; readonly algorithm: 'md5' | 'sha1' | 'sha256'; readonly hex: string };

/** Why it does not match; undefined if it does. */
export function mismatch(match: Match, reply: Uint8Array): string | undefined {
  const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  switch (match.kind) {
    case 'text':
      return bytes.includes(match.text) ? undefined : `${JSON.stringify(match.text)} is not in ${shown(bytes)}`;
    case 'regex':
      return new RegExp(match.pattern, 'm').test(bytes.toString('utf8'))
        ? undefined
        : `/${match.pattern}/ does not match ${shown(bytes)}`;
    case 'bytes':
      return bytes.indexOf(match.bytes) === 0
        ? undefined
        : `expected ${Buffer.from(match.bytes).toString('hex')}, got ${bytes.subarray(0, 32).toString('hex')}`;
    case 'digest': {
      const got = createHash(match.algorithm).update(bytes).digest('hex');
      return got === match.hex.toLowerCase() ? undefined : `its ${match.algorithm} is ${got}, expected ${match.hex}`;
    }
  }
}

function shown(bytes: Buffer): string {
  const most = 60;
  const text = bytes.subarray(0, most).toString('utf8');
  return JSON.stringify(bytes.length > most ? `${text}...` : text);
}
