// What outlives a build of the programs: the maps that are kept when those of another build take over, and what is in them.

/** A struct by its tag, or plain bytes. */
export type Kind = string | number;

export interface Kept {
  /** Of hashes; arrays are indexed. */
  readonly key?: Kind;
  readonly value: Kind;
  /** Programs write it as packets come: it is only read whole while none do. */
  readonly byPackets: boolean;
  /** An array in as many equal parts as there are CPUs: each may have become longer. */
  readonly isByCpu?: boolean;
}

/** By the maps' names. All others hold what one packet needs, or what is found again: a new map does. */
export const keptMaps: Readonly<Record<string, Kept>> = {
  flows: { value: 'flow', byPackets: true },
  flow_pages: { value: 8, byPackets: true },
  destinations: { value: 'destination', byPackets: true },
  counters: { value: 'counters', byPackets: true, isByCpu: true },
  rates: { value: 'rates', byPackets: true },
  members: { value: 'member', byPackets: true },
  buckets: { value: 4, byPackets: false },
  local_addresses: { value: 'address', byPackets: false },
  cursors: { value: 8, byPackets: true },
  settings: { value: 'settings', byPackets: false },
  interfaces: { value: 8, byPackets: false },
  mark_rules: { value: 'mark_rule', byPackets: false },
  ends: { key: 'address', value: 4, byPackets: false },
  path_mtus: { key: 'address', value: 'path_mtu', byPackets: true },
  localities: { key: 'locality_key', value: 'locality', byPackets: true },
  sessions: { key: 4, value: 'session', byPackets: true },
  fragments: { key: 'fragment_key', value: 'fragment_note', byPackets: true },
  reasons: { value: 8, byPackets: true },
  events: { value: 8, byPackets: true },
};

/** Maps of one map, which is kept. */
export const keptTables: Readonly<Record<string, Kept>> = {
  service_tables: { key: 'service_key', value: 'service', byPackets: false },
  call_id_tables: { key: 4, value: 'call_id', byPackets: true },
};

/** Made by user space, not by the object. */
export const keptLedger: Kept = { key: 4, value: 'counters', byPackets: false };

/** The structs of all that, and of the facts that every build reads of an instance. */
export const keptStructs: readonly string[] = [
  ...new Set(
    [...Object.values(keptMaps), ...Object.values(keptTables), keptLedger]
      .flatMap(({ key, value }) => [key, value])
      .filter((kind) => typeof kind === 'string')
      .concat('instance'),
  ),
];
