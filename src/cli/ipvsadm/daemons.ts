// `--start-daemon`, `--stop-daemon` and `-L --daemon`: the daemons of connection synchronisation, as the kernel would fill
// them in. Source: start_sync_thread of ip_vs_sync.c.
import { formatAddress, parseAddress } from '../../model/address.ts';
import type { SyncDaemon } from '../../model/sync.ts';
import type { Host } from './host.ts';
import type { DaemonOptions } from './invocation.ts';
import { failureStatus, Refusal } from './refusal.ts';

export const notSynchronised =
  'connections are not synchronised by this version yet: the daemon is remembered, but sends and receives nothing';

const defaultGroup = parseAddress('224.0.0.81');
const defaultPort = 8848;
const defaultTtl = 1;
const headerLengths = { 4: 20 + 8, 6: 40 + 8 } as const;
/** What every interface is taken to carry; a backup takes more where there is more. */
const usualMtu = 1500;
const shortestBackup = 1024;
const longestPacket = 65535;

export async function daemonOf(options: DaemonOptions, host: Host): Promise<SyncDaemon> {
  const mtu = await host.mtuOf(options.interface);
  if (mtu === undefined) throw new Refusal(failureStatus, 'No such device', 'interface-missing');
  const { role, interface: name, syncId, group = defaultGroup } = options;
  return {
    ...{ role, interface: name, syncId, group },
    maxLength: lengthOf(options, mtu, headerLengths[group.family]),
    port: options.port || defaultPort,
    ttl: options.ttl || defaultTtl,
  };
}

function lengthOf({ role, maxLength }: DaemonOptions, mtu: number, headers: number): number {
  const isBackup = role === 'backup';
  const carried = isBackup ? Math.min(Math.max(mtu, usualMtu), longestPacket) : usualMtu;
  if (maxLength === 0) return carried - headers;
  return Math.min(Math.max(maxLength, isBackup ? shortestBackup : 1), longestPacket - headers);
}

/** The master first. */
export function listDaemons(daemons: readonly SyncDaemon[]): string {
  return daemons
    .toSorted((one, other) => (one.role < other.role ? 1 : -1))
    .map(({ role, interface: name, syncId, maxLength, group, port, ttl }) => {
      const facts = `mcast=${name}, syncid=${syncId}, maxlen=${maxLength}, group=${formatAddress(group)}`;
      return `${role} sync daemon (${facts}, port=${port}, ttl=${ttl})\n`;
    })
    .join('');
}
