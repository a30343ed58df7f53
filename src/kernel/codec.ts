// Plain objects to bytes and back, by a layout. Little-endian, as every machine that the programs are built for. Not for
// memory that others write meanwhile: bytes are read and written one by one.
import type { ArrayLayout, IntLayout, Layout, StructLayout } from './layout.ts';

export type Value = number | bigint | Uint8Array | readonly Value[] | { readonly [member: string]: Value | undefined };
export type StructValue = { readonly [member: string]: Value | undefined };

/** `T` is what the caller knows of the struct: members of up to 4 bytes are numbers, of 8 bigints, arrays of bytes Buffers. */
export function decode<T extends object = StructValue>(layout: StructLayout, bytes: Uint8Array, offset = 0): T {
  return decodeStruct(layout, asBuffer(bytes), offset) as T;
}

/** A new Buffer of the struct's size; members that are not given are 0. */
export function encode(layout: StructLayout, value: object): Buffer {
  const bytes = Buffer.alloc(layout.size);
  encodeInto(layout, value, bytes);
  return bytes;
}

/** Writes the members that are given and leaves the others alone. */
export function encodeInto(layout: StructLayout, value: object, bytes: Uint8Array, offset = 0): void {
  encodeStruct(layout, value as StructValue, asBuffer(bytes), offset);
}

/** Converts a __be16 member's number to the value it stands for, and back. */
export function be16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function decodeAny(layout: Layout, bytes: Buffer, at: number): Value {
  if (layout.kind === 'int') return decodeInt(layout, bytes, at);
  return layout.kind === 'array' ? decodeArray(layout, bytes, at) : decodeStruct(layout, bytes, at);
}

function decodeInt({ size, signed }: IntLayout, bytes: Buffer, at: number): number | bigint {
  if (size === 8) return signed ? bytes.readBigInt64LE(at) : bytes.readBigUInt64LE(at);
  return signed ? bytes.readIntLE(at, size) : bytes.readUIntLE(at, size);
}

function decodeArray({ element, length, size }: ArrayLayout, bytes: Buffer, at: number): Value {
  if (element.size === 1) return Buffer.from(bytes.subarray(at, at + size));
  return Array.from({ length }, (_, index) => decodeAny(element, bytes, at + index * element.size));
}

function decodeStruct(layout: StructLayout, bytes: Buffer, at: number): StructValue {
  const value: { [member: string]: Value } = {};
  for (const field of layout.fields.values()) value[field.name] = decodeAny(field, bytes, at + field.offset);
  return value;
}

function encodeAny(layout: Layout, value: Value, bytes: Buffer, at: number): void {
  if (layout.kind === 'int') encodeInt(layout, value, bytes, at);
  else if (layout.kind === 'array') encodeArray(layout, value, bytes, at);
  else encodeStruct(layout, value as StructValue, bytes, at);
}

function encodeInt({ size, signed }: IntLayout, value: Value, bytes: Buffer, at: number): void {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new TypeError(`expected a number, got ${typeof value}`);
  if (size === 8) {
    if (signed) bytes.writeBigInt64LE(BigInt(value), at);
    else bytes.writeBigUInt64LE(BigInt(value), at);
  } else if (signed) bytes.writeIntLE(Number(value), at, size);
  else bytes.writeUIntLE(Number(value), at, size);
}

function encodeArray({ element, length, size }: ArrayLayout, value: Value, bytes: Buffer, at: number): void {
  const values = value as ArrayLike<Value>;
  if (values.length > length) throw new RangeError(`expected at most ${length} elements, got ${values.length}`);
  bytes.fill(0, at, at + size);
  for (let index = 0; index < values.length; index++)
    encodeAny(element, values[index] as Value, bytes, at + index * element.size);
}

function encodeStruct(layout: StructLayout, value: StructValue, bytes: Buffer, at: number): void {
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const field = layout.field(name);
    encodeAny(field, member, bytes, at + field.offset);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
