// What a run leaves behind: a document for programs, and a chart.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GroupReport, holds, type Row } from '../row.ts';
import { drawChart } from './chart.ts';
import { formatMachine, type Machine } from './machine.ts';

/** Resolves to the paths that were written. */
export async function writeResults(
  folder: string,
  title: string,
  report: GroupReport,
  machine: Machine,
): Promise<readonly string[]> {
  const path = (ending: string): string => join(folder, `${report.group}.${ending}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path('json'), `${JSON.stringify(toDocument([report], machine), null, 2)}\n`);
  writeFileSync(path('svg'), await drawChart(title, formatMachine(machine), report.rows));
  return [path('json'), path('svg')];
}

/** Figures have the digits that a repetition might show again. */
export function toDocument(reports: readonly GroupReport[], machine: Machine): object {
  const floorNs = reports.find((report) => report.floorNs !== undefined)?.floorNs;
  return {
    machine,
    peers: Object.assign({}, ...reports.map(({ peers }) => peers)),
    rows: reports.flatMap(({ group, rows }) => rows.map((row) => toRow(group, row))),
    limits: reports.flatMap(({ group, limits }) =>
      limits.map((limit) => ({ group, ...limit, got: round(limit.got), holds: holds(limit) })),
    ),
    ...(floorNs === undefined ? {} : { floorNs: round(floorNs) }),
  };
}

/** A row in ns has its value by that name too. */
function toRow(group: string, { name, unit, value, median, low, high, runs, ratio, ...facts }: Row): object {
  const figures = { value: round(value), median: round(median), low: round(low), high: round(high), runs };
  return {
    ...{ group, name, ...facts, unit },
    ...(unit === 'ns' ? { ns: round(value) } : {}),
    ...figures,
    ...(ratio === undefined ? {} : { ratio: { to: ratio.to, is: round(ratio.is) } }),
  };
}

function round(value: number): number {
  const digits = Math.abs(value) >= 10 ? 1 : 3;
  return Number(value.toFixed(digits));
}
