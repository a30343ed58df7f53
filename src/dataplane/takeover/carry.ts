// What of a former build's maps the programs of this one use as it is, and how the rest is brought to their layouts.
import { join } from 'node:path';
import type { TypeLayouts } from '../../kernel/btf.ts';
import { BpfMap } from '../../kernel/map.ts';
import { createLedger } from '../ledger.ts';
import type { Maps } from '../maps.ts';
import { isSameStruct } from '../version.ts';
import { type Kept, type Kind, keptLedger, keptMaps, keptTables } from './kept.ts';
import { movesBetween } from './moves.ts';
import { copyArray, copyEntries, type Recast } from './rows.ts';

const zero = Buffer.alloc(4);
/** Made by user space, and in layouts that no build's structs have a part in. Some are there only where they are used. */
const userMaps = ['sentinel', 'attachments', 'sync_daemons', 'ownership'] as const;

/** Of one map whose content has to be copied. */
export interface Copy {
  readonly byPackets: boolean;
  /** Into the instance that has taken its place. */
  run(now: Maps, tick: () => void): void;
}

export class Carrying {
  readonly #before: Maps;
  readonly #now: TypeLayouts;
  readonly #copies: Copy[] = [];

  constructor(before: Maps, now: TypeLayouts) {
    this.#before = before;
    this.#now = now;
  }

  /** What is still to be done once the new maps are there. */
  get copies(): readonly Copy[] {
    return this.#copies;
  }

  /** The former map, if the new programs can use it as it is. */
  take(name: string, entries: number): BpfMap | undefined {
    const table = keptTables[name];
    if (table !== undefined) return this.#takeTable(name, table);
    const kept = keptMaps[name];
    if (kept === undefined) return undefined;
    const map = this.#before.map(name);
    if (this.#isSame(kept) && map.info.maxEntries === entries) return map;
    this.#copies.push({
      byPackets: kept.byPackets,
      run: (now, tick) => this.#copy(kept, map, now.map(name), tick),
    });
    return undefined;
  }

  /** What user space keeps beside the programs' own maps. The ledger shall have room for so many entries. */
  pinOthers(directory: string, ledgerEntries: number): void {
    for (const name of userMaps) {
      using map = BpfMap.openPinned(join(this.#before.directory, name));
      map?.pin(join(directory, name));
    }
    const ledger = this.#before.map('ledger');
    if (this.#isSame(keptLedger) && ledger.info.maxEntries === ledgerEntries) {
      ledger.pin(join(directory, 'ledger'));
      return;
    }
    using made = createLedger(this.#now, ledgerEntries);
    this.#copy(keptLedger, ledger, made, () => undefined);
    made.pin(join(directory, 'ledger'));
  }

  /** A map of one map stays what it is as long as that one's layout does. */
  #takeTable(name: string, kept: Kept): BpfMap | undefined {
    const tables = this.#before.map(name);
    if (this.#isSame(kept)) return tables;
    this.#copies.push({
      byPackets: kept.byPackets,
      run: (now, tick) => {
        using table = innerOf(tables);
        if (table === undefined) return;
        const { key, value } = this.#recasts(kept, table);
        using made = BpfMap.create({ ...table.info, keySize: key.size, valueSize: value.size });
        copyEntries(table, made, key, value, tick);
        const fd = Buffer.alloc(4);
        fd.writeUInt32LE(made.fd);
        now.map(name).update(zero, fd);
      },
    });
    return undefined;
  }

  #copy(kept: Kept, from: BpfMap, to: BpfMap, tick: () => void): void {
    const { key, value } = this.#recasts(kept, from);
    if (from.isMmapable) copyArray(from, to, value, kept.isByCpu ? this.#before.instance.cpus : 1, tick);
    else copyEntries(from, to, key, value, tick);
  }

  #isSame({ key, value }: Kept): boolean {
    return [key, value].every(
      (kind) => typeof kind !== 'string' || isSameStruct(this.#before.layouts, this.#now, kind),
    );
  }

  #recasts({ key, value }: Kept, { info, valueBytes }: BpfMap): { readonly key: Recast; readonly value: Recast } {
    return { key: this.#recast(key ?? info.keySize, info.keySize), value: this.#recast(value, valueBytes) };
  }

  /** Plain bytes stay what they are: of a map of each CPU's own values they are all of these. */
  #recast(kind: Kind, bytes: number): Recast {
    if (typeof kind === 'number') return { size: bytes, moves: [{ from: 0, to: 0, size: bytes }] };
    const now = this.#now.struct(kind);
    return { size: now.size, moves: movesBetween(this.#before.layouts.struct(kind), now) };
  }
}

function innerOf(tables: BpfMap): BpfMap | undefined {
  const id = tables.lookup(zero)?.readUInt32LE(0);
  return id === undefined ? undefined : BpfMap.openById(id);
}
