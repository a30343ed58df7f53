// The kernel's settings under /proc/sys; those of the network are the ones of the caller's network namespace.
import { readFileSync, writeFileSync } from 'node:fs';
import { attempt } from './errno.ts';

/** `net.ipv4.ip_forward`, or with slashes when a part has dots of its own: `net/ipv4/conf/eth0.5/forwarding`. */
export function readSysctl(name: string): string {
  return attempt('read', `sysctl ${name}`, () => readFileSync(pathOf(name), 'utf8').trimEnd());
}

export function writeSysctl(name: string, value: string | number): void {
  attempt('write', `sysctl ${name}`, () => writeFileSync(pathOf(name), `${value}\n`, { flag: 'r+' }));
}

function pathOf(name: string): string {
  return `/proc/sys/${name.includes('/') ? name : name.replaceAll('.', '/')}`;
}
