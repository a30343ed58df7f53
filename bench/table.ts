// The measured figures as a table for a person.
import type { Report, Row } from './rows.ts';

const heading = ['', 'flows', 'ns', 'of 7 runs'];

export function formatTable({ rows, floor }: Report): string {
  const cells = rows.map(({ name, flows, ns, least, most }: Row) => [
    name,
    String(flows),
    ns.toFixed(1),
    `${least.toFixed(1)} to ${most.toFixed(1)}`,
  ]);
  const lines = [heading, ...cells].map(([name = '', flows = '', ns = '', spread = '']) =>
    `${name.padEnd(26)}${flows.padStart(8)}${ns.padStart(9)}   ${spread}`.trimEnd(),
  );
  return [
    'ns of CPU time a packet, IPv4; the median',
    ...lines,
    `The packet generator's own ${floor.ns.toFixed(1)} ns are subtracted.`,
    '',
  ].join('\n');
}
