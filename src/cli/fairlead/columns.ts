// Rows of cells as lines, each column as wide as its widest cell.

export interface Column {
  readonly title: string;
  /** To the right, as numbers are. */
  readonly isNumber?: boolean;
}

export function formatColumns(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => all.reduce((most, row) => Math.max(most, row[index]?.length ?? 0), 0));
  return all.map((row) =>
    columns
      .map(({ isNumber = false }, index) => {
        const [cell, width] = [row[index] ?? '', widths[index] ?? 0];
        return isNumber ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
