// Copying what maps hold from one layout to another. Nothing changes it meanwhile.
import { roundUp } from '../../kernel/layout.ts';
import type { BpfMap } from '../../kernel/map.ts';
import type { Move } from './moves.ts';

/** How a value becomes one of another layout. */
export interface Recast {
  readonly size: number;
  readonly moves: readonly Move[];
}

const word = 4;
/** Between two of them `tick` is called. */
const rowsATime = 1 << 18;
const entriesATime = 4096;

/** Mapped arrays in `parts` equal parts, as many rows of each as both have. Rows of zeros, as new ones are, are passed over. */
export function copyArray(from: BpfMap, to: BpfMap, { moves }: Recast, parts: number, tick: () => void): void {
  const [fromStride, toStride] = [roundUp(from.info.valueSize, 8), roundUp(to.info.valueSize, 8)];
  const [fromRows, toRows] = [from.info.maxEntries / parts, to.info.maxEntries / parts];
  const rows = Math.min(fromRows, toRows);
  const isOfWords = moves.every((move) => move.from % word === 0 && move.to % word === 0 && move.size % word === 0);
  const unit = isOfWords ? word : 1;
  const Units = isOfWords ? Uint32Array : Uint8Array;
  const [source, target] = [new Units(from.mmap()), new Units(to.mmap())];
  const words = new Uint32Array(from.mmap());
  const inUnits = moves.map((move) => ({ from: move.from / unit, to: move.to / unit, size: move.size / unit }));
  for (let index = 0; index < rows * parts; index++) {
    if (index % rowsATime === 0) tick();
    const [part, row] = [Math.floor(index / rows), index % rows];
    const first = (part * fromRows + row) * fromStride;
    if (isZero(words, first / word, fromStride / word)) continue;
    const [fromRow, toRow] = [first / unit, ((part * toRows + row) * toStride) / unit];
    for (const move of inUnits)
      for (let at = 0; at < move.size; at++) target[toRow + move.to + at] = source[fromRow + move.from + at] ?? 0;
  }
}

function isZero(words: Uint32Array, first: number, count: number): boolean {
  for (let at = first; at < first + count; at++) if (words[at] !== 0) return false;
  return true;
}

/** Any map whose entries have keys: hashes, and arrays of each CPU's own values. What `to` has no place for is left out. */
export function copyEntries(from: BpfMap, to: BpfMap, key: Recast, value: Recast, tick: () => void): void {
  let keys: Buffer[] = [];
  let values: Buffer[] = [];
  const flush = (): void => {
    tick();
    to.updateBatch(Buffer.concat(keys), Buffer.concat(values), keys.length);
    [keys, values] = [[], []];
  };
  for (const [oldKey, oldValue] of from.entries()) {
    if (!hasPlace(to, oldKey)) continue;
    keys.push(recast(oldKey, key));
    values.push(recast(oldValue, value));
    if (keys.length === entriesATime) flush();
  }
  flush();
}

/** An array's key is an index. */
function hasPlace({ info, isArray }: BpfMap, key: Buffer): boolean {
  return !isArray || key.readUInt32LE(0) < info.maxEntries;
}

function recast(bytes: Buffer, { size, moves }: Recast): Buffer {
  const made = Buffer.alloc(size);
  for (const { from, to, size: length } of moves) bytes.copy(made, to, from, from + length);
  return made;
}
