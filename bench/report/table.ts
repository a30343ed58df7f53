// Measured rows as a table for a person.
import { type Facts, type GroupReport, holds, type Limit, type Row } from '../row.ts';

const factNames: readonly (keyof Facts)[] = ['flows', 'destinations', 'services', 'lines', 'cores'];

export function formatTable(title: string, { rows, limits, peers = {}, floorNs }: GroupReport): string {
  const shown = factNames.filter((name) => rows.some((row) => row[name] !== undefined));
  const head = ['', ...shown, 'value', 'median', 'spread', '', ''];
  const cells = rows.map((row) => [
    label(row),
    ...shown.map((name) => String(row[name] ?? '')),
    formatNumber(row.value),
    formatNumber(row.median),
    `${formatNumber(row.low)} to ${formatNumber(row.high)}`,
    row.unit,
    row.ratio === undefined ? '' : `${row.ratio.is.toFixed(2)} of ${row.ratio.to}`,
  ]);
  return [
    title,
    ...align([head, ...cells]),
    ...(floorNs === undefined ? [] : [`The packet generator's own ${floorNs.toFixed(1)} ns are subtracted.`]),
    ...limits.map(formatLimit),
    ...Object.entries(peers).map(([name, version]) => `${name}: ${version}`),
    '',
  ].join('\n');
}

/** The name, and the family where it is not what one expects. */
export function label({ name, family }: Row): string {
  return family === 6 ? `${name}, IPv6` : name;
}

/** Three digits that tell something. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return value.toFixed(Math.abs(value) >= 10 ? Math.min(digits, 1) : digits);
}

function formatLimit(limit: Limit): string {
  const { claim, atMost, atLeast, got } = limit;
  const round = (bound = 0): number => Number(bound.toFixed(3));
  const bound = atMost === undefined ? `at least ${round(atLeast)}` : `at most ${round(atMost)}`;
  return `${holds(limit) ? 'holds ' : 'MISSES'}  ${claim}: ${bound}, got ${formatNumber(got)}`;
}

/** The first column to the left, the rest to the right, but for words behind the figures. */
function align(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const isLeft = (index: number): boolean => index === 0 || index >= widths.length - 2;
  const cell = (text: string, index: number): string =>
    isLeft(index) ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0);
  return lines.map((line) => line.map(cell).join('  ').trimEnd());
}
