// One instance's pinned maps, each opened and mapped when it is first used.
import { join } from 'node:path';
import type { Layouts } from '../kernel/btf.ts';
import { BpfMap } from '../kernel/map.ts';
import { FairleadError } from '../model/error.ts';
import { type Column, type Rows, rows, strideOf } from './rows.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

/** Arrays of structs, by their struct's tag. */
const structArrays = {
  flows: 'flow',
  destinations: 'destination',
  counters: 'counters',
  rates: 'rates',
  members: 'member',
  local_addresses: 'address',
  settings: 'settings',
  instances: 'instance',
  traces: 'trace',
} as const;
export type StructArray = keyof typeof structArrays;

/** BUCKETS of bpf/fairlead.h: 2^8, for the kernel's IP_VS_SH_TAB_BITS and IP_VS_DH_TAB_BITS are 8. */
export const bucketCount = 256;

/** Facts of an instance that never change: struct instance. */
export interface InstanceRow {
  readonly netns_cookie: bigint;
  readonly flow_slots: number;
  readonly destination_slots: number;
  readonly cpus: number;
  readonly version: number;
  readonly next_service_id: number;
  readonly lo_forwarding: number;
}

export class Maps implements Disposable {
  readonly directory: string;
  readonly layouts: Layouts;
  readonly vocabulary: Vocabulary;
  readonly #open = new Map<string, BpfMap>();
  readonly #rows = new Map<StructArray, Rows>();
  #instance: InstanceRow | undefined;

  constructor(directory: string, layouts: Layouts) {
    this.directory = directory;
    this.layouts = layouts;
    this.vocabulary = readVocabulary(layouts);
  }

  map(name: string): BpfMap {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const map = BpfMap.openPinned(join(this.directory, name));
    if (map === undefined)
      throw new FairleadError('not-attached', `${this.directory}: map ${name} is missing`, {
        hint: 'run fairlead detach, then start again',
      });
    this.#open.set(name, map);
    return map;
  }

  rows(name: StructArray): Rows {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const made = rows(this.layouts.struct(structArrays[name]), this.map(name).mmap());
    this.#rows.set(name, made);
    return made;
  }

  /** As it was when it was first asked for. */
  get instance(): InstanceRow {
    this.#instance ??= this.rows('instances').read<InstanceRow>(0);
    return this.#instance;
  }

  /** Positions of sh and dh. */
  get buckets(): Column<number> {
    const bytes = this.map('buckets').mmap();
    const stride = strideOf(4);
    return {
      get: (index) => bytes.readUInt32LE(index * stride),
      set: (index, value) => void bytes.writeUInt32LE(value, index * stride),
    };
  }

  get cursors(): Column<bigint> {
    return words(this.map('cursors'));
  }

  get interfaces(): Column<bigint> {
    return words(this.map('interfaces'));
  }

  [Symbol.dispose](): void {
    for (const map of this.#open.values()) map[Symbol.dispose]();
    this.#open.clear();
    this.#rows.clear();
  }
}

function words(map: BpfMap): Column<bigint> {
  const bytes = map.mmap();
  return {
    get: (index) => bytes.readBigUInt64LE(index * 8),
    set: (index, value) => void bytes.writeBigUInt64LE(value, index * 8),
  };
}
