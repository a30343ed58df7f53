// The ssh session that a command runs in, though sudo may have hidden it: what must not be cut off.
import { readFileSync } from 'node:fs';

export interface Session {
  readonly client: string;
  /** The address of this machine that the client has connected to. */
  readonly server: string;
}

const mostAncestors = 64;

/** Of this process or of one that it descends from. */
export function readSession(): Session | undefined {
  let pid = process.pid;
  for (let count = 0; count < mostAncestors && pid > 1; count++) {
    const session = parseSession(read(`/proc/${pid}/environ`));
    if (session !== undefined) return session;
    pid = Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
  }
  return undefined;
}

/** SSH_CONNECTION is `CLIENT PORT SERVER PORT`; an IPv4 client of an IPv6 socket has a mapped address. */
export function parseSession(environment: string): Session | undefined {
  const value = environment.split('\0').find((entry) => entry.startsWith('SSH_CONNECTION='));
  const [client, , server] = (value?.slice('SSH_CONNECTION='.length) ?? '').split(' ').map(unmapped);
  return client && server ? { client, server } : undefined;
}

function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

/** Empty when it has gone, or is not ours to read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
