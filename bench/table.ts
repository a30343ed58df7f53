// The measured figures as a table for a person.
import type { Report } from './rows.ts';

export function formatTable({ rows, floorNs }: Report): string {
  const cells = rows.map(({ name, family, flows, ns, median }) => [
    family === 4 ? name : `${name}, IPv6`,
    String(flows),
    ns.toFixed(1),
    median.toFixed(1),
  ]);
  const lines = [['', 'flows', 'ns', 'median'], ...cells].map(([name = '', ...figures]) =>
    [name.padEnd(30), ...figures.map((text) => text.padStart(9))].join(''),
  );
  return [
    'CPU time a packet in ns, at the quietest of several runs, and their median',
    ...lines,
    `The packet generator's own ${floorNs.toFixed(1)} ns are subtracted.`,
    '',
  ].join('\n');
}
