// One instance's pinned maps, each opened and mapped when it is first used.
import { join } from 'node:path';
import type { Layouts } from '../kernel/btf.ts';
import { BpfMap } from '../kernel/map.ts';
import { type Column, sharedArray } from '../kernel/shared.ts';
import { FairleadError } from '../model/error.ts';
import { type Rows, rows, strideOf } from './rows.ts';
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
  mark_rules: 'mark_rule',
} as const;
export type StructArray = keyof typeof structArrays;
/** Arrays of 8-byte words. */
export type WordArray = 'flow_pages' | 'cursors' | 'interfaces';

/** Facts of an instance that never change: struct instance. */
export interface InstanceRow {
  readonly netns_cookie: bigint;
  readonly flow_slots: number;
  readonly destination_slots: number;
  readonly cpus: number;
  readonly version: number;
  readonly build: number;
  readonly next_service_id: number;
  readonly lo_forwarding: number;
  readonly lo_forwarding_six: number;
  readonly lo_accept_local: number;
}

export class Maps implements Disposable {
  readonly directory: string;
  readonly layouts: Layouts;
  readonly vocabulary: Vocabulary;
  readonly #open = new Map<string, BpfMap>();
  readonly #rows = new Map<StructArray, Rows>();
  readonly #words = new Map<WordArray, Column<bigint>>();
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

  words(name: WordArray): Column<bigint> {
    const known = this.#words.get(name);
    if (known !== undefined) return known;
    const made = sharedArray(this.map(name).mmap(), strideOf(8)).bigints(0, { kind: 'int', size: 8, signed: false });
    this.#words.set(name, made);
    return made;
  }

  /** Positions of sh and dh. */
  get buckets(): Column<number> {
    return sharedArray(this.map('buckets').mmap(), strideOf(4)).numbers(0, { kind: 'int', size: 4, signed: false });
  }

  /** Whether the instance that is pinned there is this one, and none that has taken its place. */
  isPinnedIn(directory: string): boolean {
    using pinned = BpfMap.openPinned(join(directory, 'instances'));
    return pinned?.info.id === this.map('instances').info.id;
  }

  [Symbol.dispose](): void {
    for (const map of this.#open.values()) map[Symbol.dispose]();
    this.#open.clear();
    this.#rows.clear();
    this.#words.clear();
  }
}
