// What packets need of lo: its forwarding, because bpf_fib_lookup answers only for an interface that forwards and they look up for
// lo; and that it takes packets from the director's own addresses, for those that are sent up by it have the VIP as their source.
import { existsSync, readdirSync } from 'node:fs';
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts';
import type { Family } from '../model/address.ts';
import type { Maps } from './maps.ts';

/** It makes no other interface forward. Whoever writes that of `all` (net.ipv4.ip_forward) sets this one too, to the same. */
const settings: Readonly<Record<Family, string>> = {
  4: 'net.ipv4.conf.lo.forwarding',
  6: 'net.ipv6.conf.lo.forwarding',
};
const acceptLocal = 'net.ipv4.conf.lo.accept_local'; // of IPv6 nothing forbids it
const interfacesOfSix = '/proc/sys/net/ipv6/conf';

/** A kernel without IPv6 has none of its settings. */
export function isForwarding(family: Family): boolean {
  return (family === 4 || existsSync(interfacesOfSix)) && readSysctl(settings[family]) !== '0';
}

/** The settings that are off though connections need them. */
export function missingForwarding(maps: Maps): readonly string[] {
  return familiesInUse(maps)
    .filter((family) => !isForwarding(family))
    .map((family) => settings[family]);
}

export function acceptsLocal(): boolean {
  return readSysctl(acceptLocal) !== '0';
}

export function ensureForwarding(maps: Maps): void {
  if (!acceptsLocal()) writeSysctl(acceptLocal, 1);
  for (const family of familiesInUse(maps)) {
    if (isForwarding(family)) continue;
    if (family === 4) writeSysctl(settings[4], 1);
    else keepingAdvertisedRoutes(() => writeSysctl(settings[6], 1));
  }
}

/** To what it was before the instance was made. */
export function restoreForwarding(maps: Maps): void {
  const { lo_forwarding: four, lo_forwarding_six: six, lo_accept_local: local } = maps.instance;
  if (local === 0) writeSysctl(acceptLocal, 0);
  if (four === 0) writeSysctl(settings[4], 0);
  if (six === 0 && isForwarding(6)) writeSysctl(settings[6], 0);
}

/** IPv4, and IPv6 where it is a service's or a destination's: a host without is left as it is. */
function familiesInUse(maps: Maps): readonly Family[] {
  const rows = maps.rows('destinations');
  const used = maps.rows('settings').number('destinations_used').get(0);
  const columns = [rows.number('family'), rows.number('key.family')];
  for (let slot = 0; slot < used; slot++) if (columns.some((column) => column.get(slot) === 6)) return [4, 6];
  return [4];
}

/**
 * Turning on any interface's IPv6 forwarding makes the kernel forget the default routes that routers advertised, save on
 * interfaces that take advertisements even when they forward (accept_ra 2): for that moment all do.
 */
function keepingAdvertisedRoutes(work: () => void): void {
  const accepting = readdirSync(interfacesOfSix)
    .filter((name) => name !== 'all' && name !== 'default')
    .map((name) => `net/ipv6/conf/${name}/accept_ra`)
    .filter((name) => readSysctl(name) === '1');
  for (const name of accepting) writeSysctl(name, 2);
  try {
    work();
  } finally {
    for (const name of accepting) writeSysctl(name, 1);
  }
}
