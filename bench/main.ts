// `npm run bench`: what a packet costs the director, as a table for a person or, with --json, as one document.
import { setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { measureAll, type Report } from './rows.ts';
import { formatTable } from './table.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });

setPriority(-10);
const report = measureAll((text) => process.stderr.write(`bench: ${text}\n`));
process.stdout.write(values.json ? `${JSON.stringify(toDocument(report))}\n` : formatTable(report));

function toDocument({ rows, floorNs }: Report): object {
  const round = (ns: number): number => Math.round(ns * 10) / 10;
  return {
    rows: rows.map(({ name, family, flows, ns }) => ({ name, family, flows, ns: round(ns) })),
    floorNs: round(floorNs),
  };
}
