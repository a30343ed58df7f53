// The daemons of connection synchronisation that were started: a pinned map, made for the first of them.
import { join } from 'node:path';
import { BpfMap, mapFlag, mapType } from '../kernel/map.ts';
import type { SyncDaemon, SyncRole } from '../model/sync.ts';
import type { Maps } from './maps.ts';

const mapName = 'sync_daemons';
const roles: readonly SyncRole[] = ['master', 'backup'];
/** IFNAMSIZ. */
const nameBytes = 16;
/** Four words, the group's family and its address. */
const at = { syncId: 16, maxLength: 20, port: 24, ttl: 28, family: 32, group: 36 } as const;
const valueBytes = 52;

export function readSyncDaemons({ directory }: Pick<Maps, 'directory'>): readonly SyncDaemon[] {
  using map = BpfMap.openPinned(join(directory, mapName));
  if (map === undefined) return [];
  return roles.flatMap((role) => {
    const value = map.lookup(keyOf(role));
    return value === undefined ? [] : [toDaemon(role, value)];
  });
}

/** Under the instance's lock. */
export function writeSyncDaemons({ directory }: Pick<Maps, 'directory'>, wanted: readonly SyncDaemon[]): void {
  const path = join(directory, mapName);
  using present = BpfMap.openPinned(path);
  if (present !== undefined) {
    put(present, wanted);
    return;
  }
  using made = createMap();
  put(made, wanted);
  made.pin(path);
}

function createMap(): BpfMap {
  return BpfMap.create({
    type: mapType.hash,
    name: mapName,
    keySize: 4,
    valueSize: valueBytes,
    maxEntries: roles.length,
    flags: mapFlag.noPrealloc,
  });
}

function put(map: BpfMap, wanted: readonly SyncDaemon[]): void {
  for (const role of roles) {
    const daemon = wanted.find((one) => one.role === role);
    if (daemon !== undefined) map.update(keyOf(role), toValue(daemon));
    else if (map.lookup(keyOf(role)) !== undefined) map.delete(keyOf(role));
  }
}

function keyOf(role: SyncRole): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(roles.indexOf(role));
  return key;
}

function toValue({ interface: name, syncId, maxLength, port, ttl, group }: SyncDaemon): Buffer {
  const value = Buffer.alloc(valueBytes);
  value.write(name, 0, nameBytes - 1, 'latin1');
  value.writeUInt32LE(syncId, at.syncId);
  value.writeUInt32LE(maxLength, at.maxLength);
  value.writeUInt32LE(port, at.port);
  value.writeUInt32LE(ttl, at.ttl);
  value.writeUInt32LE(group.family, at.family);
  value.set(group.bytes, at.group);
  return value;
}

function toDaemon(role: SyncRole, value: Buffer): SyncDaemon {
  const family = value.readUInt32LE(at.family) === 6 ? 6 : 4;
  return {
    role,
    interface: value.toString('latin1', 0, nameBytes).replace(/\0.*$/s, ''),
    syncId: value.readUInt32LE(at.syncId),
    maxLength: value.readUInt32LE(at.maxLength),
    port: value.readUInt32LE(at.port),
    ttl: value.readUInt32LE(at.ttl),
    group: { family, bytes: [...value.subarray(at.group, at.group + (family === 6 ? 16 : 4))] },
  };
}
