// The table that top shows: which rows, in which order. Pure.
import { type Column, formatColumns } from '../columns.ts';
import { compact } from '../view/words.ts';
import type { Row } from './sample.ts';

/** Each with the key that chooses it. */
export const sorts = {
  name: 'n',
  active: 'a',
  inactive: 'i',
  connections: 'c',
  packets: 'p',
  bytes: 'b',
} as const;
export type Sort = keyof typeof sorts;
export const sortNames = Object.keys(sorts) as readonly Sort[];

export interface Order {
  readonly sort: Sort;
  readonly isReversed: boolean;
  readonly isServicesOnly: boolean;
}

/** What matters least comes last, where a narrow terminal cuts. */
const columns: readonly Column[] = [
  ...['NAME', 'STATE'].map((title) => ({ title })),
  ...['WEIGHT', 'ACTIVE', 'CONNS/S', 'IN B/S', 'OUT B/S', 'IN P/S', 'OUT P/S', 'INACTIVE'].map((title) => ({
    title,
    isNumber: true,
  })),
];

/** The first line is the columns'. */
export function formatTop(rows: readonly Row[], order: Order): readonly string[] {
  return formatColumns(
    columns,
    arrange(rows, order).map((row) => cells(row, order)),
  );
}

/** By name: destinations under their services, as they are declared. Else by the number, the largest first. */
export function arrange(rows: readonly Row[], { sort, isReversed, isServicesOnly }: Order): readonly Row[] {
  const chosen = isServicesOnly ? rows.filter(({ kind }) => kind === 'service') : rows;
  if (sort === 'name') return isReversed ? groups(chosen).reverse().flat() : chosen;
  const figure = figures[sort];
  // Services have what their destinations have together: among these they would only be in the way.
  const alike = isServicesOnly ? chosen : chosen.filter(({ kind }) => kind === 'destination');
  const sorted = alike.toSorted((one, other) => figure(other) - figure(one));
  return isReversed ? sorted.reverse() : sorted;
}

/** Each service with its destinations. */
function groups(rows: readonly Row[]): Row[][] {
  const found: Row[][] = [];
  for (const row of rows) {
    if (row.kind === 'service') found.push([row]);
    else found.at(-1)?.push(row);
  }
  return found;
}

const figures: Readonly<Record<Exclude<Sort, 'name'>, (row: Row) => number>> = {
  active: ({ active }) => active,
  inactive: ({ inactive }) => inactive,
  connections: ({ connections }) => connections,
  packets: ({ inPackets, outPackets }) => inPackets + outPackets,
  bytes: ({ inBytes, outBytes }) => inBytes + outBytes,
};

function cells(row: Row, order: Order): readonly string[] {
  const { state, weight, active, inactive } = row;
  const rates = [row.connections, row.inBytes, row.outBytes, row.inPackets, row.outPackets];
  return [nameOf(row, order), state, weight?.toString() ?? '', `${active}`, ...rates.map(compact), `${inactive}`];
}

/** Destinations stand below their service, or tell whose they are. */
function nameOf({ kind, service, destination }: Row, { sort }: Order): string {
  if (kind === 'service') return service;
  return sort === 'name' ? `  ${destination}` : `${service} ${destination}`;
}
