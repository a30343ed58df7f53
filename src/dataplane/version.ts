// Whether pinned maps are laid out as this build's programs lay them out.
import type { Layouts, TypeLayouts } from '../kernel/btf.ts';
import type { Layout } from '../kernel/layout.ts';
import { keptStructs } from './takeover/kept.ts';
import { keptNumbers } from './takeover/numbers.ts';

const versions = new WeakMap<Layouts, number>();

/** 32 bits of a hash over every struct that stays in pinned maps, and over the numbers stored in them. */
export function layoutVersion(layouts: Layouts): number {
  const version = versions.get(layouts) ?? hashOf(layouts);
  versions.set(layouts, version);
  return version;
}

function hashOf(layouts: Layouts): number {
  const structs = keptStructs.map((name) => `${name} ${describe(layouts.struct(name))}\n`);
  const numbers = keptNumbers.map((name) => `${name} ${[...layouts.enum(name)].join(' ')}\n`);
  return fnv1a([...structs, ...numbers].join(''));
}

/** Whether a struct lies in memory as it did. */
export function isSameStruct(before: TypeLayouts, now: TypeLayouts, tag: string): boolean {
  return describe(before.struct(tag)) === describe(now.struct(tag));
}

/** No better hash is needed, and node:crypto takes 7 ms to load. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function describe(layout: Layout): string {
  if (layout.kind === 'int') return `${layout.signed ? 's' : 'u'}${layout.size}`;
  if (layout.kind === 'array') return `[${layout.length} ${describe(layout.element)}]`;
  return `{${[...layout.fields.values()].map((field) => `${field.offset} ${field.name} ${describe(field)}`).join(', ')}}${layout.size}`;
}
