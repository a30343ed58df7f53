// fairlead top: the busiest services or real servers, looked at again and again.
import { emitKeypressEvents } from 'node:readline';
import type { DataplaneDirector } from '../../dataplane/director.ts';
import type { InstalledService } from '../../model/director.ts';
import { destinationKey, serviceKey } from '../../model/table.ts';
import type { Out } from './io.ts';
import { openAttached } from './open.ts';
import { formatColumns } from './table.ts';

export const sortKeys = ['cps', 'active', 'inactive', 'in', 'out', 'name'] as const;
export type SortKey = (typeof sortKeys)[number];

export interface TopOptions {
  readonly sort: SortKey;
  readonly isByDestination: boolean;
  readonly everyMs: number;
  /** Print it and end. */
  readonly once: boolean;
}

/** One that it shows. Figures are per second but for connections, which are open ones. */
export interface Row {
  readonly name: string;
  readonly weight: number | undefined;
  readonly cps: number;
  readonly active: number;
  readonly inactive: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly in: number;
  readonly out: number;
}

export async function runTop(out: Out, options: TopOptions): Promise<void> {
  using director = openAttached();
  const isLive = !options.once && process.stdin.isTTY && process.stdout.isTTY;
  if (isLive) await watch(out, director, options);
  else out.write(formatTop(rowsOf(director.services(), options.isByDestination), options.sort));
}

export function rowsOf(services: readonly InstalledService[], isByDestination: boolean): readonly Row[] {
  return services.flatMap(({ identity, rates, destinations }) => {
    const service = serviceKey(identity);
    const of = (
      name: string,
      one: Pick<InstalledService, 'rates'>,
      some: typeof destinations,
      weight?: number,
    ): Row => ({
      name,
      weight,
      cps: Number(one.rates.connections),
      active: some.reduce((sum, each) => sum + each.activeConnections, 0),
      inactive: some.reduce((sum, each) => sum + each.inactiveConnections, 0),
      inPackets: Number(one.rates.inPackets),
      outPackets: Number(one.rates.outPackets),
      in: Number(one.rates.inBytes),
      out: Number(one.rates.outBytes),
    });
    if (!isByDestination) return [of(service, { rates }, destinations)];
    return destinations.map((one) => of(`${service} ${destinationKey(one)}`, one, [one], one.weight));
  });
}

export function formatTop(rows: readonly Row[], sort: SortKey, most = Number.POSITIVE_INFINITY): string {
  const sorted = rows.toSorted((one, other) =>
    sort === 'name' ? one.name.localeCompare(other.name, 'en', { numeric: true }) : other[sort] - one[sort],
  );
  const head = ['NAME', 'WEIGHT', 'CONN/S', 'ACTIVE', 'INACTIVE', 'IN PKT/S', 'OUT PKT/S', 'IN BYTE/S', 'OUT BYTE/S'];
  const cells = sorted
    .slice(0, most)
    .map((one) => [
      one.name,
      `${one.weight ?? ''}`,
      ...[one.cps, one.active, one.inactive, one.inPackets, one.outPackets, one.in, one.out].map(short),
    ]);
  return formatColumns([head, ...cells], 1);
}

/** 12345 is 12.3k. */
function short(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let [scaled, unit] = [value, 0];
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return unit === 0 ? `${value}` : `${scaled.toFixed(scaled < 100 ? 1 : 0)}${units[unit]}`;
}

/** What each key does. */
const keys: Readonly<Record<string, Partial<Pick<TopOptions, 'sort' | 'isByDestination'>>>> = {
  c: { sort: 'cps' },
  a: { sort: 'active' },
  i: { sort: 'inactive' },
  n: { sort: 'name' },
  b: { sort: 'in' },
  o: { sort: 'out' },
  s: { isByDestination: false },
  d: { isByDestination: true },
};
const help =
  'sorted by: c conn/s  a active  i inactive  b in bytes  o out bytes  n name; s services  d real servers; q quits';
const [enter, leave, home, clearBelow, clearLine] = [
  '\x1b[?1049h\x1b[?25l',
  '\x1b[?25h\x1b[?1049l',
  '\x1b[H',
  '\x1b[J',
  '\x1b[K',
];

/** On the terminal's other screen, which is given back in the end. */
async function watch(out: Out, director: DataplaneDirector, options: TopOptions): Promise<void> {
  let view = options;
  const draw = (): void => {
    const { rows: height = 24, columns: width = 80 } = process.stdout;
    const table = formatTop(rowsOf(director.services(), view.isByDestination), view.sort, Math.max(height - 4, 1));
    const lines = [
      `fairlead top, every ${view.everyMs / 1000} s, by ${view.sort}`,
      help,
      '',
      ...table.trimEnd().split('\n'),
    ];
    out.write(`${home}${lines.map((line) => line.slice(0, width) + clearLine).join('\r\n')}${clearBelow}`);
  };
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => attempt(draw), options.everyMs);
    const end = (settle: () => void): void => {
      clearInterval(timer);
      process.stdin.setRawMode(false).pause();
      process.stdout.off('resize', draw);
      out.write(leave);
      settle();
    };
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        end(() => reject(error)); // such as detached meanwhile
      }
    };
    emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true).resume();
    process.stdin.on('keypress', (text: string | undefined, key: { name?: string; ctrl?: boolean }) => {
      if (text === 'q' || key.name === 'escape' || (key.ctrl && key.name === 'c')) return end(resolve);
      view = { ...view, ...keys[text ?? ''] };
      attempt(draw);
    });
    process.stdout.on('resize', draw);
    out.write(enter);
    attempt(draw);
  });
}
