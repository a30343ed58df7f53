// The daemons of connection synchronisation, as ipvsadm starts, lists and stops them.
import type { Address } from './address.ts';
import { FairleadError } from './error.ts';

export type SyncRole = 'master' | 'backup';

/** At most one of each role. */
export interface SyncDaemon {
  readonly role: SyncRole;
  readonly interface: string;
  readonly syncId: number;
  /** Bytes of a message. */
  readonly maxLength: number;
  readonly group: Address;
  readonly port: number;
  readonly ttl: number;
}

export function withDaemon(present: readonly SyncDaemon[], daemon: SyncDaemon): readonly SyncDaemon[] {
  if (present.some(({ role }) => role === daemon.role))
    throw new FairleadError('daemon-exists', `a ${daemon.role} daemon has been started already`);
  return [...present, daemon];
}

export function withoutDaemon(present: readonly SyncDaemon[], role: SyncRole): readonly SyncDaemon[] {
  const others = present.filter((daemon) => daemon.role !== role);
  if (others.length === present.length) throw new FairleadError('daemon-missing', `there is no ${role} daemon`);
  return others;
}
