// A mapped array as its rows: struct by struct, or one member at a time.
import { bigintMember, decode, encode, encodeInto, numberMember } from '../kernel/codec.ts';
import { roundUp, type StructLayout } from '../kernel/layout.ts';

export interface Rows {
  readonly length: number;
  readonly layout: StructLayout;
  read<T extends object>(index: number): T;
  /** The whole row: what is not given becomes 0. */
  write(index: number, row: object): void;
  /** The members that are given: each goes in by one copy, so that no reader meets it cleared. */
  patch(index: number, row: object): void;
  number(member: string): Column<number>;
  bigint(member: string): Column<bigint>;
}

export interface Column<T> {
  get(index: number): T;
  set(index: number, value: T): void;
}

/** The kernel pads an array's elements to 8 bytes. */
export function strideOf(valueSize: number): number {
  return roundUp(valueSize, 8);
}

export function rows(layout: StructLayout, bytes: Buffer): Rows {
  const stride = strideOf(layout.size);
  const length = Math.floor(bytes.length / stride);
  const at = (index: number): number => {
    if (index < 0 || index >= length) throw new RangeError(`${layout.tag} ${index}: there are ${length}`);
    return index * stride;
  };
  return {
    length,
    layout,
    read: (index) => decode(layout, bytes, at(index)),
    write(index, row) {
      const start = at(index);
      bytes.fill(0, start, start + layout.size);
      encodeInto(layout, row, bytes, start);
    },
    patch(index, row) {
      const scratch = encode(layout, row);
      for (const name of Object.keys(row)) {
        const { offset, size } = layout.field(name);
        scratch.copy(bytes, at(index) + offset, offset, offset + size);
      }
    },
    number: (member) => column(numberMember(layout, member), bytes, at),
    bigint: (member) => column(bigintMember(layout, member), bytes, at),
  };
}

interface Member<T> {
  get(bytes: Buffer, base: number): T;
  set(bytes: Buffer, base: number, value: T): void;
}

function column<T>(member: Member<T>, bytes: Buffer, at: (index: number) => number): Column<T> {
  return { get: (index) => member.get(bytes, at(index)), set: (index, value) => member.set(bytes, at(index), value) };
}
