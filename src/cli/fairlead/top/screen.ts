// What top makes of keys, and what is on the screen: pure.
import type { Row } from './sample.ts';
import { arrange, formatTop, type Order, type Sort, sorts } from './table.ts';

export interface Screen extends Order {
  /** Rows above the first that is seen. */
  readonly scroll: number;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** One line on top, one of titles, one at the bottom. */
const otherLines = 3;

/** undefined: it ends. */
export function press(screen: Screen, key: string, rows: readonly Row[], size: Size): Screen | undefined {
  const sort = (Object.keys(sorts) as Sort[]).find((name) => sorts[name] === key);
  if (sort !== undefined) return { ...screen, sort, scroll: 0 };
  const page = roomOf(size);
  const moves: Readonly<Record<string, number>> = {
    j: 1,
    k: -1,
    '\x1b[B': 1,
    '\x1b[A': -1,
    ' ': page,
    '\x1b[6~': page,
    '\x1b[5~': -page,
  };
  const move = moves[key];
  if (move !== undefined) {
    const most = Math.max(0, arrange(rows, screen).length - page);
    return { ...screen, scroll: Math.min(most, Math.max(0, screen.scroll + move)) };
  }
  if (key === 'r') return { ...screen, isReversed: !screen.isReversed };
  if (key === 's') return { ...screen, isServicesOnly: !screen.isServicesOnly, scroll: 0 };
  return key === 'q' || key === '\x03' || key === '\x04' ? undefined : screen;
}

/** As many lines as the terminal has, none wider than it. */
export function draw(rows: readonly Row[], screen: Screen, size: Size, atMs: number): readonly string[] {
  const [titles = '', ...lines] = formatTop(rows, screen);
  const room = roomOf(size);
  const scroll = Math.min(screen.scroll, Math.max(0, lines.length - room));
  const seen = lines.slice(scroll, scroll + room);
  const until = scroll + seen.length;
  const order = `by ${screen.sort}${screen.isReversed ? ', reversed' : ''}`;
  const where = lines.length > room ? `, ${scroll + 1} to ${until} of ${lines.length}` : '';
  return [
    `fairlead top  ${new Date(atMs).toISOString().slice(11, 19)} UTC  ${order}${where}`,
    titles,
    ...seen,
    ...Array.from({ length: room - seen.length }, () => ''),
    'by: n name  a active  i inactive  c conns  p packets  b bytes  r reverse  s services  q quit',
  ].map((line) => line.slice(0, size.columns));
}

function roomOf({ rows }: Size): number {
  return Math.max(1, rows - otherLines);
}
