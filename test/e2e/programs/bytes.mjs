// Bytes that look random and are always the same: what large transfers carry. Arguments: how many; prints them.
import { createCipheriv, createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const chunk = Buffer.alloc(1 << 20);

/**
 * @param {number} size
 * @returns {Generator<Buffer, void>}
 */
export function* bytes(size) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  for (let left = size; left > 0; left -= chunk.length) yield cipher.update(chunk.subarray(0, left));
}

/**
 * @param {number} size
 * @returns {string} SHA-256
 */
export function digest(size) {
  const hash = createHash('sha256');
  for (const chunk of bytes(size)) hash.update(chunk);
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // A reader that has gone is for itself to explain.
  pipeline(Readable.from(bytes(Number(process.argv[2]))), process.stdout, () => {});
}
