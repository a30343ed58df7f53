// Layouts of structs and enums as BTF tells them, a compiled object's or the kernel's, so that no offset is ever written down.
import { FairleadError } from '../model/error.ts';
import { type Elf, readElf, symbolSections } from './elf.ts';
import { type Field, type Layout, type StructLayout, structLayout } from './layout.ts';
import { remembered } from './remembered.ts';

export interface TypeLayouts {
  /** A struct or union by its tag. Throws when the object has none of that name. */
  struct(name: string): StructLayout;
  /** An enum's names and values, in their order. Throws when the object has none of that name. */
  enum(name: string): ReadonlyMap<string, number>;
}

export interface Layouts extends TypeLayouts {
  /** The variables of a section (`.rodata`: the constants) as members of one struct as large as the section. */
  variables(section: string): StructLayout;
}

/** enum BTF_KIND_* of linux/btf.h */
const kinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  prototype: 13,
  variable: 14,
  section: 15,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

const aliases: readonly number[] = [kinds.typedef, kinds.volatile, kinds.const, kinds.restrict, kinds.typeTag];

/** Those that are asked for by their name. */
const namedKinds: readonly number[] = [kinds.struct, kinds.union, kinds.enum, kinds.section, kinds.enum64];
/** Of what every type's record begins with. */
const commonSize = 12;

/** One type's record. `size` is a size or the id of another type, by kind. */
interface Type {
  readonly kind: number;
  readonly name: string;
  readonly size: number;
  readonly count: number;
  readonly flag: boolean;
  /** Of the 4 bytes there in what follows the common part. */
  readonly word: (at: number) => number;
}

const nothing: Type = { kind: 0, name: 'void', size: 0, count: 0, flag: false, word: () => 0 };

interface Types {
  text(offset: number): string;
  byId(id: number): Type;
  /** Of the type of that id. */
  layout(id: number): Layout;
  find(name: string, ...kinds: readonly number[]): Type | undefined;
}

export function readLayouts(objectPath: string): Layouts {
  const elf = readElf(objectPath, ['.BTF', ...symbolSections]);
  const btf = elf.bytes('.BTF');
  if (btf === undefined)
    throw new FairleadError('bad-input', `${objectPath}: expected a section .BTF: compile with -g`);
  const types = readTypes(btf);
  return {
    ...typeLayouts(types, objectPath),
    variables: (name) =>
      toVariables(types, elf, expect(types.find(name, kinds.section), `variables in ${name}`, objectPath), objectPath),
  };
}

/** Of BTF as the kernel holds it. `origin` is named where a type is missing. */
export function readBtf(bytes: Buffer, origin: string): TypeLayouts {
  return typeLayouts(readTypes(bytes), origin);
}

function typeLayouts(types: Types, origin: string): TypeLayouts {
  return {
    struct: remembered((name) =>
      toStruct(types, expect(types.find(name, kinds.struct, kinds.union), `struct ${name}`, origin)),
    ),
    enum: remembered((name) =>
      toEnum(types, expect(types.find(name, kinds.enum, kinds.enum64), `enum ${name}`, origin)),
    ),
  };
}

function expect(type: Type | undefined, what: string, origin: string): Type {
  if (type === undefined) throw new Error(`${origin}: its BTF has no ${what}`);
  return type;
}

/** Most types are never asked for: a type is taken apart when it is. */
function readTypes(btf: Buffer): Types {
  if (btf.readUInt16LE(0) !== 0xeb9f) throw new FairleadError('bad-input', 'expected BTF in little-endian byte order');
  const headerSize = btf.readUInt32LE(4);
  const start = headerSize + btf.readUInt32LE(8);
  const end = start + btf.readUInt32LE(12);
  const strings = btf.toString('latin1', headerSize + btf.readUInt32LE(16));
  const text = (offset: number): string => strings.slice(offset, strings.indexOf('\0', offset));
  const places: number[] = [];
  const named = new Map<string, number>();
  for (let at = start; at < end; ) {
    const info = btf.readUInt32LE(at + 4);
    const kind = kindOf(info);
    places.push(at);
    if (namedKinds.includes(kind)) {
      const key = `${kind} ${text(btf.readUInt32LE(at))}`;
      if (!named.has(key)) named.set(key, at);
    }
    at += commonSize + restSize(kind, countOf(info));
  }
  const typeAt = (at: number): Type => {
    const info = btf.readUInt32LE(at + 4);
    return {
      kind: kindOf(info),
      name: text(btf.readUInt32LE(at)),
      size: btf.readUInt32LE(at + 8),
      count: countOf(info),
      flag: info >>> 31 === 1,
      word: (place) => btf.readUInt32LE(at + commonSize + place),
    };
  };
  const types: Types = {
    text,
    byId(id) {
      const at = places[id - 1];
      return at === undefined ? nothing : typeAt(at);
    },
    layout: remembered((id) => toLayout(types, types.byId(id))),
    find(name, ...wanted) {
      const at = wanted.map((kind) => named.get(`${kind} ${name}`)).find((one) => one !== undefined);
      return at === undefined ? undefined : typeAt(at);
    },
  };
  return types;
}

function kindOf(info: number): number {
  return (info >>> 24) & 0x1f;
}

function countOf(info: number): number {
  return info & 0xffff;
}

function restSize(kind: number, count: number): number {
  if (kind === kinds.int || kind === kinds.variable || kind === kinds.declarationTag) return 4;
  if (kind === kinds.array) return 12;
  if (kind === kinds.enum || kind === kinds.prototype) return 8 * count;
  return kind === kinds.struct || kind === kinds.union || kind === kinds.section || kind === kinds.enum64
    ? 12 * count
    : 0;
}

function toLayout(types: Types, type: Type): Layout {
  if (aliases.includes(type.kind)) return types.layout(type.size);
  if (type.kind === kinds.struct || type.kind === kinds.union) return toStruct(types, type);
  if (type.kind === kinds.array) {
    const element = types.layout(type.word(0));
    const length = type.word(8);
    return { kind: 'array', size: element.size * length, length, element };
  }
  if (type.kind === kinds.pointer) return { kind: 'int', size: 8, signed: false };
  if (type.kind === kinds.int) return { kind: 'int', size: type.size, signed: (type.word(0) & 0x0100_0000) !== 0 };
  if (type.kind === kinds.enum || type.kind === kinds.enum64)
    return { kind: 'int', size: type.size, signed: type.flag };
  throw new Error(`a member of type ${type.name} (BTF kind ${type.kind}) has no layout here`);
}

function toStruct(types: Types, type: Type): StructLayout {
  return structLayout(type.name, type.size, toFields(types, type, 0));
}

function* toFields(types: Types, type: Type, base: number): Generator<Field> {
  for (const { name, id, bits } of members(types, type)) {
    // With the flag, the upper 8 bits are a bit field's width.
    const width = type.flag ? bits >>> 24 : 0;
    if (width !== 0) throw new Error(`${type.name}.${name} is a bit field`);
    const offset = base + (type.flag ? bits & 0xff_ffff : bits) / 8;
    if (name === '') yield* toFields(types, withoutAliases(types, id), offset);
    else yield { ...types.layout(id), name, offset };
  }
}

function* members(types: Types, { word, count }: Type): Generator<{ name: string; id: number; bits: number }> {
  for (let at = 0; at < count * 12; at += 12) {
    yield { name: types.text(word(at)), id: word(at + 4), bits: word(at + 8) };
  }
}

function withoutAliases(types: Types, id: number): Type {
  const type = types.byId(id);
  return aliases.includes(type.kind) ? withoutAliases(types, type.size) : type;
}

function toEnum(types: Types, { kind, word, count, flag }: Type): ReadonlyMap<string, number> {
  const step = kind === kinds.enum64 ? 12 : 8;
  const value = (at: number): number => {
    const low = flag && step === 8 ? word(at) | 0 : word(at);
    return step === 8 ? low : low + (word(at + 4) | 0) * 2 ** 32;
  };
  return new Map(
    Array.from({ length: count }, (_, index) => [types.text(word(index * step)), value(index * step + 4)]),
  );
}

/** Offsets come from the symbols: in the file BTF's own are still 0, libbpf fills them in when it loads. */
function toVariables(
  types: Types,
  elf: Elf,
  { name: sectionName, word, count }: Type,
  objectPath: string,
): StructLayout {
  const section = elf.section(sectionName);
  if (section === undefined) throw new Error(`${objectPath}: no section ${sectionName}`);
  const offsets = new Map(
    elf
      .symbols()
      .filter((symbol) => symbol.section === section.index)
      .map((symbol) => [symbol.name, symbol.offset]),
  );
  const fields = Array.from({ length: count }, (_, index): Field => {
    const variable = types.byId(word(index * 12));
    const offset = offsets.get(variable.name);
    if (offset === undefined) throw new Error(`${objectPath}: no symbol for ${variable.name} in ${sectionName}`);
    return { ...types.layout(variable.size), name: variable.name, offset };
  });
  return structLayout(sectionName, section.size, fields);
}
