// What a metric is, and how Prometheus reads it: its text format 0.0.4.
import { setImmediate as breath } from 'node:timers/promises';

export interface Metric<Scene> {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
  /** What it is now. */
  samples(scene: Scene): Iterable<Sample>;
}

/** Labels as labelText wrote them: many metrics have the same ones. */
export type Sample = readonly [labels: string, value: number | bigint | boolean];

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** So that health checks and requests are not kept waiting while there is much to write. */
const linesAtOnce = 2000;

/** Piece by piece: of 100,000 destinations it is 110 MB, which nobody has to hold at once. */
export async function* format<Scene>(metrics: readonly Metric<Scene>[], scene: Scene): AsyncGenerator<string> {
  let lines: string[] = [];
  for (const { name, type, help, samples } of metrics) {
    lines.push(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    for (const [labels, value] of samples(scene)) {
      lines.push(`${name}${labels} ${typeof value === 'boolean' ? Number(value) : value}\n`);
      if (lines.length < linesAtOnce) continue;
      yield lines.join('');
      lines = [];
      await breath();
    }
  }
  yield lines.join('');
}

export function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escaped)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
