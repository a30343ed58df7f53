// What a reply must hold.
import { createHash } from 'node:crypto';
import type { Expectation } from '../model/check.ts';

/** Why it is not as expected; undefined if it is. */
export function mismatch(expected: Expectation, reply: Buffer): string | undefined {
  switch (expected.kind) {
    case 'text':
      return reply.includes(expected.text) ? undefined : `${JSON.stringify(expected.text)} is not in ${shown(reply)}`;
    case 'regex': {
      const { source, flags, isForbidden } = expected;
      const isThere = new RegExp(source, flags).test(reply.toString('utf8'));
      if (isThere !== isForbidden) return undefined;
      return `/${source}/${flags} ${isForbidden ? 'matches' : 'does not match'} ${shown(reply)}`;
    }
    case 'digest': {
      const got = createHash(expected.algorithm).update(reply).digest('hex');
      return got === expected.hex.toLowerCase()
        ? undefined
        : `its ${expected.algorithm} is ${got}, expected ${expected.hex}`;
    }
  }
}

/** Whether more of the reply may yet make it right: of a stream that has no end. */
export function canStillMatch(expected: Expectation): boolean {
  return expected.kind === 'text' || (expected.kind === 'regex' && !expected.isForbidden);
}

function shown(bytes: Buffer): string {
  const most = 60;
  const text = bytes.subarray(0, most).toString('utf8');
  return JSON.stringify(bytes.length > most ? `${text}...` : text);
}
