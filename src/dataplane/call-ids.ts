// What templates of services with --pe sip are for: their keys are hashes of it. In a map made for the first such service.
import { decode } from '../kernel/codec.ts';
import { BpfMap, mapFlag, mapType } from '../kernel/map.ts';
import type { Maps } from './maps.ts';

export interface CallId {
  /** As those of a key. */
  readonly words: readonly bigint[];
  readonly text: string;
}

export interface CallIds extends Disposable {
  /** Of the template in this slot. */
  of(slot: number): CallId | undefined;
}

const zero = Buffer.alloc(4);

/** struct call_id. */
interface Row {
  readonly addresses: { readonly word: readonly bigint[] };
  readonly length: number;
}

export function makeRoomForCallIds(maps: Maps): void {
  using present = tableOf(maps);
  if (present !== undefined) return;
  const { SLOTS_PER_CONNECTION } = maps.vocabulary.numbers;
  using table = BpfMap.create({
    type: mapType.hash,
    name: 'call_id_table',
    keySize: 4,
    valueSize: maps.layouts.struct('call_id').size,
    maxEntries: Math.ceil(maps.instance.flow_slots / SLOTS_PER_CONNECTION),
    flags: mapFlag.noPrealloc,
  });
  maps.map('call_id_tables').update(zero, u32(table.fd));
}

export function openCallIds(maps: Maps): CallIds {
  let table: BpfMap | undefined;
  const layout = maps.layouts.struct('call_id');
  return {
    of(slot) {
      table ??= tableOf(maps);
      const value = table?.lookup(u32(slot));
      if (value === undefined) return undefined;
      const { addresses, length } = decode<Row>(layout, value);
      const text = layout.field('text').offset;
      return { words: addresses.word, text: value.toString('latin1', text, text + length) };
    },
    [Symbol.dispose]: () => table?.[Symbol.dispose](),
  };
}

function tableOf(maps: Maps): BpfMap | undefined {
  const id = maps.map('call_id_tables').lookup(zero)?.readUInt32LE(0);
  return id === undefined ? undefined : BpfMap.openById(id);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
