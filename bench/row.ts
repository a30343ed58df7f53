// What every group of measurements hands in: rows, each a figure with its spread, and limits that rows are held to.

export const groups = ['packet', 'live', 'end-to-end', 'scale', 'control', 'ipvs'] as const;
export type GroupName = (typeof groups)[number];

/** A quantity that was measured several times. */
export interface Figure {
  /** What is reported first: for CPU time the least, as whatever else the machine does only ever adds; otherwise the median. */
  readonly value: number;
  readonly median: number;
  /** The first and the third quartile. */
  readonly low: number;
  readonly high: number;
  /** How often it was measured. */
  readonly runs: number;
}

/** What sets a row apart from others of its name. */
export interface Facts {
  readonly family?: 4 | 6;
  readonly flows?: number;
  readonly destinations?: number;
  readonly services?: number;
  readonly lines?: number;
  readonly cores?: number;
}

export interface Row extends Figure, Facts {
  readonly name: string;
  readonly unit: string;
  /** `median` as a multiple of another row's of the same run. */
  readonly ratio?: Ratio;
}

export interface Ratio {
  /** The other row's name. */
  readonly to: string;
  readonly is: number;
}

/** What is claimed of one run, and whether the run bears it out. */
export interface Limit {
  readonly claim: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly got: number;
}

export interface GroupReport {
  readonly group: GroupName;
  readonly rows: readonly Row[];
  readonly limits: readonly Limit[];
  /** Versions and settings of what else was measured. */
  readonly peers?: Readonly<Record<string, string>>;
  /** Of the packet group: ns that its generator costs a packet, which are already subtracted. */
  readonly floorNs?: number;
}

export interface GroupOptions {
  /** Few runs of small tables: to see that it works, not what it costs. */
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
}

export interface Group {
  readonly name: GroupName;
  readonly title: string;
  measure(options: GroupOptions): GroupReport | Promise<GroupReport>;
}

/** Of samples that noise moves both ways. */
export function medianFigure(samples: readonly number[]): Figure {
  const [low, middle, high] = [quantile(samples, 0.25), quantile(samples, 0.5), quantile(samples, 0.75)];
  return { value: middle, median: middle, low, high, runs: samples.length };
}

/** Between the two nearest samples, in proportion. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [below = 0, above = below] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place - Math.floor(place));
}

export function holds({ atMost, atLeast, got }: Limit): boolean {
  return (atMost === undefined || got <= atMost) && (atLeast === undefined || got >= atLeast);
}

/** The row of that name and those facts; undefined if this run did not measure it. */
export function findRow(rows: readonly Row[], name: string, facts: Facts = {}): Row | undefined {
  return rows.find((row) =>
    Object.entries({ name, ...facts }).every(([key, value]) => row[key as keyof Facts | 'name'] === value),
  );
}

/** How one row's median stands to another's; none if this run lacks one of them. */
export function limitOf(
  claim: string,
  [row, other]: readonly [Row | undefined, Row | undefined],
  bound: Pick<Limit, 'atMost' | 'atLeast'>,
): readonly Limit[] {
  return row === undefined || other === undefined ? [] : [{ claim, ...bound, got: row.median / other.median }];
}
