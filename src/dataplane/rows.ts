// A mapped array as its rows: whole structs, or one member at a time without making objects.
import { decode, encode } from '../kernel/codec.ts';
import { memberAt, roundUp, type StructLayout } from '../kernel/layout.ts';
import { remembered } from '../kernel/remembered.ts';
import { type Column, sharedArray } from '../kernel/shared.ts';

export interface Rows {
  readonly length: number;
  /** Each member is whole; what packets change together is of one moment only if it shares 8 bytes. */
  read<T extends object>(index: number): T;
  /** The members that are given, an integer at a time: no reader meets one cleared. */
  patch(index: number, row: object): void;
  /** All members become 0. */
  clear(index: number): void;
  /** Whether all of them are. */
  isClear(index: number): boolean;
  /** A member of up to 4 bytes, or one of a nested struct: `next_hop.oif`. */
  number(member: string): Column<number>;
  bigint(member: string): Column<bigint>;
  /** A copy of a member's own bytes. */
  bytes(member: string): Column<Buffer>;
  /** The same as letters, of what nobody writes meanwhile. */
  text(member: string): (index: number) => string;
}

/** The kernel pads an array's elements to 8 bytes. */
export function strideOf(valueSize: number): number {
  return roundUp(valueSize, 8);
}

export function rows(layout: StructLayout, memory: ArrayBufferLike): Rows {
  const stride = strideOf(layout.size);
  const array = sharedArray(memory, stride);
  return {
    length: array.length,
    read: (index) => decode(layout, array.read(index, 0, layout.size)),
    patch(index, row) {
      const scratch = encode(layout, row);
      for (const name of Object.keys(row)) {
        const field = layout.field(name);
        array.write(index, field.offset, field, scratch.subarray(field.offset));
      }
    },
    clear: array.clear,
    isClear: array.isClear,
    number: remembered((member) => {
      const field = memberAt(layout, member);
      return array.numbers(field.offset, field);
    }),
    bigint: remembered((member) => {
      const field = memberAt(layout, member);
      return array.bigints(field.offset, field);
    }),
    bytes: remembered((member) => {
      const field = memberAt(layout, member);
      return {
        get: (index) => array.read(index, field.offset, field.size),
        set: (index, value) => array.write(index, field.offset, field, value),
      };
    }),
    text: remembered((member) => {
      const { offset, size } = memberAt(layout, member);
      const all = Buffer.from(memory);
      return (index) => all.toString('latin1', index * stride + offset, index * stride + offset + size);
    }),
  };
}
