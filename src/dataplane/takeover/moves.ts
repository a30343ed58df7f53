// From one layout of a struct to another: members of the same name are copied, what is new becomes 0.
import type { Layout, StructLayout } from '../../kernel/layout.ts';
import { FairleadError } from '../../model/error.ts';

/** So many bytes from one place to the other. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

/** What nobody reads: it may lie where something else lay before. */
const fillers: ReadonlySet<string> = new Set(['pad', 'reserved', 'unused']);

interface Leaf {
  readonly at: number;
  readonly size: number;
}

/**
 * What to copy, as few pieces as there are. Throws not-supported when a member became smaller, or when members of a union, which
 * share their place, went to different ones: which of them is there can't be told.
 */
export function movesBetween(from: StructLayout, to: StructLayout): readonly Move[] {
  const before = new Map(leavesOf(from, '', 0));
  /** By the byte in the new one: the byte in the old. */
  const sources = new Array<number | undefined>(to.size);
  for (const [path, { at, size }] of leavesOf(to, '', 0)) {
    const old = before.get(path);
    if (old === undefined) continue;
    if (old.size > size) throw refusal(to, path, `it had ${old.size} bytes and has ${size}`);
    for (let byte = 0; byte < old.size; byte++) {
      const source = old.at + byte;
      if ((sources[at + byte] ?? source) !== source)
        throw refusal(to, path, 'another member of its union was elsewhere');
      sources[at + byte] = source;
    }
  }
  return piecesOf(sources);
}

function piecesOf(sources: readonly (number | undefined)[]): readonly Move[] {
  const pieces: { from: number; to: number; size: number }[] = [];
  for (const [to, from] of sources.entries()) {
    const last = pieces.at(-1);
    if (from === undefined) continue;
    if (last !== undefined && last.from + last.size === from && last.to + last.size === to) last.size++;
    else pieces.push({ from, to, size: 1 });
  }
  return pieces;
}

function* leavesOf(layout: Layout, path: string, at: number): Generator<[string, Leaf]> {
  if (layout.kind === 'int') yield [path, { at, size: layout.size }];
  else if (layout.kind === 'array')
    for (let index = 0; index < layout.length; index++)
      yield* leavesOf(layout.element, `${path}[${index}]`, at + index * layout.element.size);
  else
    for (const field of layout.fields.values())
      if (!fillers.has(field.name)) yield* leavesOf(field, `${path}.${field.name}`, at + field.offset);
}

function refusal(to: StructLayout, path: string, why: string): FairleadError {
  return new FairleadError(
    'not-supported',
    `what is attached can't be brought to this version's struct ${to.tag}: ${path.slice(1)}: ${why}`,
    {
      hint: 'run fairlead detach, then start again: connections end',
    },
  );
}
