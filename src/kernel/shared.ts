// Memory that programs on other CPUs use at the same time: each integer is read and written whole, and in the order told.
// A Buffer's methods go byte by byte, and so may meet, or show, half of a change.
import type { Layout } from './layout.ts';

/** One integer of each element. What is too large for it is cut, as in C. */
export interface Column<T> {
  get(index: number): T;
  set(index: number, value: T): void;
}

/** Elements of one size, one after another. A RangeError is thrown for those that are not there, and for what is not aligned. */
export interface SharedArray {
  readonly length: number;
  /** Of integers of up to 4 bytes. */
  numbers(offset: number, layout: Layout): Column<number>;
  /** Of integers of 8 bytes. */
  bigints(offset: number, layout: Layout): Column<bigint>;
  /** A copy, 8 aligned bytes at a time: what they hold is of one moment, what others hold perhaps of another. */
  read(index: number, offset: number, size: number): Buffer;
  /** From bytes that are laid out like that, an integer at a time. */
  write(index: number, offset: number, layout: Layout, bytes: Buffer): void;
  clear(index: number): void;
  isClear(index: number): boolean;
}

const word = 8;

export function sharedArray(memory: ArrayBufferLike, stride: number): SharedArray {
  if (stride % word !== 0) throw new RangeError(`elements of ${stride} bytes are not aligned`);
  const length = Math.floor(memory.byteLength / stride);
  const words = new BigUint64Array(memory);
  const halves = new Uint32Array(memory);
  const expectElement = (index: number): number => {
    if (Number.isInteger(index) && index >= 0 && index < length) return index;
    throw new RangeError(`element ${index}: there are ${length}`);
  };
  /** Where an element's integer is in an array of such. */
  const placeOf = (offset: number, size: number): ((index: number) => number) => {
    if (offset % size !== 0 || offset < 0 || offset + size > stride)
      throw new RangeError(`${size} bytes at ${offset} are not aligned, or not within ${stride}`);
    const [first, step] = [offset / size, stride / size];
    return (index) => expectElement(index) * step + first;
  };
  const numbers: SharedArray['numbers'] = (offset, layout) => {
    const view = numberView(memory, layout);
    const place = placeOf(offset, layout.size);
    return {
      get: (index) => Atomics.load(view, place(index)),
      set: (index, value) => void Atomics.store(view, place(index), value),
    };
  };
  const bigints: SharedArray['bigints'] = (offset, layout) => {
    const view = bigintView(memory, layout);
    const place = placeOf(offset, word);
    return {
      get: (index) => Atomics.load(view, place(index)),
      set: (index, value) => void Atomics.store(view, place(index), value),
    };
  };
  return {
    length,
    numbers,
    bigints,
    read(index, offset, size) {
      const start = offset - (offset % word);
      const first = placeOf(start, word)(index);
      const copy = new BigUint64Array(Math.ceil((offset + size - start) / word));
      for (let at = 0; at < copy.length; at++) copy[at] = Atomics.load(words, first + at);
      return Buffer.from(copy.buffer, offset - start, size);
    },
    write(index, offset, layout, bytes) {
      for (const { at, integer } of integersOf(layout, 0)) {
        if (integer.size === word) bigints(offset + at, integer).set(index, bytes.readBigUInt64LE(at));
        else numbers(offset + at, integer).set(index, bytes.readUIntLE(at, integer.size));
      }
    },
    clear(index) {
      const first = placeOf(0, word)(index);
      for (let at = first; at < first + stride / word; at++) Atomics.store(words, at, 0n);
    },
    // By halves: each word that is looked at as one is an object of its own.
    isClear(index) {
      const first = expectElement(index) * (stride / 4);
      for (let at = first; at < first + stride / 4; at++) if (Atomics.load(halves, at) !== 0) return false;
      return true;
    },
  };
}

type NumberView = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

function numberView(memory: ArrayBufferLike, layout: Layout): NumberView {
  const isSigned = layout.kind === 'int' && layout.signed;
  if (layout.kind === 'int' && layout.size === 1) return isSigned ? new Int8Array(memory) : new Uint8Array(memory);
  if (layout.kind === 'int' && layout.size === 2) return isSigned ? new Int16Array(memory) : new Uint16Array(memory);
  if (layout.kind === 'int' && layout.size === 4) return isSigned ? new Int32Array(memory) : new Uint32Array(memory);
  throw new TypeError(`expected an integer of up to 4 bytes, got ${layout.kind} of ${layout.size}`);
}

function bigintView(memory: ArrayBufferLike, layout: Layout): BigUint64Array | BigInt64Array {
  if (layout.kind !== 'int' || layout.size !== word)
    throw new TypeError(`expected an integer of 8 bytes, got ${layout.kind} of ${layout.size}`);
  return layout.signed ? new BigInt64Array(memory) : new BigUint64Array(memory);
}

/** Members of a union one after another, each with the bytes that they share. */
function* integersOf(layout: Layout, at: number): Generator<{ readonly at: number; readonly integer: Layout }> {
  if (layout.kind === 'int') yield { at, integer: layout };
  else if (layout.kind === 'struct')
    for (const field of layout.fields.values()) yield* integersOf(field, at + field.offset);
  else
    for (let index = 0; index < layout.length; index++)
      yield* integersOf(layout.element, at + index * layout.element.size);
}
