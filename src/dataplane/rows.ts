// A mapped array, or a batch of values, as its rows: whole structs, or one member at a time without making objects.
import { bigintMember, decode, encode, numberMember } from '../kernel/codec.ts';
import { roundUp, type StructLayout } from '../kernel/layout.ts';

export interface Rows {
  readonly length: number;
  read<T extends object>(index: number): T;
  /** The members that are given: each goes in by one copy, so that no reader meets it cleared. */
  patch(index: number, row: object): void;
  /** All members become 0. */
  clear(index: number): void;
  number(member: string): Column<number>;
  bigint(member: string): Column<bigint>;
  /** A member's own bytes, not a copy. */
  bytes(member: string): Column<Uint8Array>;
}

export interface Column<T> {
  get(index: number): T;
  set(index: number, value: T): void;
}

/** The kernel pads an array's elements to 8 bytes. */
export function strideOf(valueSize: number): number {
  return roundUp(valueSize, 8);
}

/** Of a mapped array, unless its stride is given. */
export function rows(layout: StructLayout, bytes: Buffer, stride = strideOf(layout.size)): Rows {
  const length = Math.floor(bytes.length / stride);
  const at = (index: number): number => {
    if (index < 0 || index >= length) throw new RangeError(`${layout.tag} ${index}: there are ${length}`);
    return index * stride;
  };
  return {
    length,
    read: (index) => decode(layout, bytes, at(index)),
    patch(index, row) {
      const scratch = encode(layout, row);
      for (const name of Object.keys(row)) {
        const { offset, size } = layout.field(name);
        scratch.copy(bytes, at(index) + offset, offset, offset + size);
      }
    },
    clear: (index) => void bytes.fill(0, at(index), at(index) + layout.size),
    number: remembered((member) => column(numberMember(layout, member), bytes, at)),
    bigint: remembered((member) => column(bigintMember(layout, member), bytes, at)),
    bytes: remembered((member) => {
      const { offset, size } = layout.field(member);
      return {
        get: (index) => bytes.subarray(at(index) + offset, at(index) + offset + size),
        set: (index, value) => bytes.set(value, at(index) + offset),
      };
    }),
  };
}

interface Member<T> {
  get(bytes: Buffer, base: number): T;
  set(bytes: Buffer, base: number, value: T): void;
}

function column<T>(member: Member<T>, bytes: Buffer, at: (index: number) => number): Column<T> {
  return { get: (index) => member.get(bytes, at(index)), set: (index, value) => member.set(bytes, at(index), value) };
}

function remembered<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>();
  return (name) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const value = make(name);
    made.set(name, value);
    return value;
  };
}
