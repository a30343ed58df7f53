// Columns of text, each as wide as its widest cell.

/** Columns from `firstNumber` on are aligned to the right. */
export function formatColumns(rows: readonly (readonly string[])[], firstNumber = Number.POSITIVE_INFINITY): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, index) => Math.max(...rows.map((row) => (row[index] ?? '').length)));
  const pad = (cell: string, index: number): string =>
    index < firstNumber ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0);
  return rows.map((row) => `${row.map(pad).join('  ').trimEnd()}\n`).join('');
}
