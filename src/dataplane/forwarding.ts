// lo's forwarding, which packets need: bpf_fib_lookup answers only for an interface that forwards, and they look up for lo.
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts';
import type { Maps } from './maps.ts';

/** It makes no other interface forward. Whoever writes net.ipv4.ip_forward sets this one too, and to the same. */
export const forwarding = 'net.ipv4.conf.lo.forwarding';

export function isForwarding(): boolean {
  return readSysctl(forwarding) !== '0';
}

export function ensureForwarding(): void {
  if (!isForwarding()) writeSysctl(forwarding, 1);
}

/** To what it was before the instance was made. */
export function restoreForwarding(maps: Maps): void {
  if (maps.instance.lo_forwarding === 0) writeSysctl(forwarding, 0);
}
