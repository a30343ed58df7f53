// A host's own counters of what reached it, by the names of RFC 1213 and after.
import type { Host } from './network.ts';

export async function readCounter(host: Host, protocol: 'Icmp' | 'Tcp' | 'Udp', name: string): Promise<number> {
  const rows = (await host.run('cat', '/proc/net/snmp')).split('\n').map((row) => row.split(' '));
  const [names = [], values = []] = rows.filter(([title]) => title === `${protocol}:`);
  return Number(values[names.indexOf(name)]);
}
