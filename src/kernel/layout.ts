// How C lays out its types: what BTF tells, or what a fixed kernel interface is declared to be.
export type Layout = IntLayout | ArrayLayout | StructLayout;

/** Integers, enums, booleans and pointers. 8 bytes are a bigint in TypeScript, less a number. */
export interface IntLayout {
  readonly kind: 'int';
  readonly size: number;
  readonly signed: boolean;
}

/** Arrays of bytes are a Buffer in TypeScript, others an array. */
export interface ArrayLayout {
  readonly kind: 'array';
  readonly size: number;
  readonly length: number;
  readonly element: Layout;
}

/** Structs and unions. Members of anonymous ones inside are members of the outer, as in C. */
export interface StructLayout {
  readonly kind: 'struct';
  readonly size: number;
  /** The C name; empty for an anonymous type. */
  readonly tag: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Throws when there is none of that name. */
  field(name: string): Field;
}

export type Field = Layout & { readonly name: string; readonly offset: number };

export function structLayout(tag: string, size: number, members: Iterable<Field>): StructLayout {
  const fields = new Map<string, Field>();
  for (const member of members) fields.set(member.name, member);
  const field = (name: string): Field => {
    const found = fields.get(name);
    if (found === undefined) throw new Error(`struct ${tag} has no member ${name}`);
    return found;
  };
  return { kind: 'struct', size, tag, fields, field };
}

/** A member by its path, which may go into nested structs: `next_hop.oif`. */
export function memberAt(layout: StructLayout, path: string): Field {
  let found: Field = { ...layout, name: layout.tag, offset: 0 };
  for (const name of path.split('.')) {
    if (found.kind !== 'struct') throw new Error(`${layout.tag}.${path}: nothing is inside of ${found.kind}`);
    const member = found.field(name);
    found = { ...member, offset: found.offset + member.offset };
  }
  return found;
}

const integers = {
  u8: { kind: 'int', size: 1, signed: false },
  u16: { kind: 'int', size: 2, signed: false },
  u32: { kind: 'int', size: 4, signed: false },
  s32: { kind: 'int', size: 4, signed: true },
  u64: { kind: 'int', size: 8, signed: false },
} as const satisfies Record<string, IntLayout>;

type Integer = keyof typeof integers;

/**
 * A struct of a fixed kernel or libbpf interface, by its members in their order: C's alignment rules give the offsets.
 * `['name', 'u8', 16]` is an array.
 */
export function cStruct(
  tag: string,
  members: readonly (readonly [name: string, type: Integer, length?: number])[],
): StructLayout {
  let end = 0;
  let alignment = 1;
  const fields = members.map(([name, type, length]): Field => {
    const element = integers[type];
    const offset = roundUp(end, element.size);
    const layout: Layout =
      length === undefined ? element : { kind: 'array', size: element.size * length, length, element };
    end = offset + layout.size;
    alignment = Math.max(alignment, element.size);
    return { ...layout, name, offset };
  });
  return structLayout(tag, roundUp(end, alignment), fields);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
