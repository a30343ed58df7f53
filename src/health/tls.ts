// How a probe speaks TLS.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Tls } from '../model/check.ts';

/** `host`: what it is asked as, with a port or not. Throws what reading files throws. */
export function tlsOptions(tls: Tls, host: string | undefined): ConnectionOptions {
  const plain = host?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const name = tls.name ?? (plain === undefined || isIP(plain) !== 0 ? undefined : plain);
  const files = { ca: tls.authorities, cert: tls.certificate, key: tls.key };
  return {
    rejectUnauthorized: tls.isVerified,
    ...(name === undefined ? plain !== undefined && { host: plain } : { servername: name }),
    ...Object.fromEntries(
      Object.entries(files).flatMap(([option, file]) => (file === undefined ? [] : [[option, readFileSync(file)]])),
    ),
  };
}
