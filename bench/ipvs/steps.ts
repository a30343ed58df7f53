// What the emulated machine prints: `= NAME|WHAT`, then figures, a line a round, and what makes them believable.
import { quantile } from '../row.ts';

export interface Step {
  readonly name: string;
  readonly what: string;
  readonly rounds: readonly number[];
}

/** Of whole connections: more than this of a round spent waiting, and something else was counted. */
const mostIdle = 0.01;

/** With so many rounds one may be an outlier: what counts is their median. */
const manyRounds = 4;

/**
 * Throws where packets are missing, where nobody had anything to do, or where rounds of whole connections disagree: `mostSpread`,
 * between the least and the most, of many rounds without the one that is furthest from the median.
 */
export function readSteps(text: string, mostSpread: number): readonly Step[] {
  return text
    .split(/^= /m)
    .slice(1)
    .map((step) => readStep(step, mostSpread));
}

function readStep(text: string, mostSpread: number): Step {
  const [head = '', ...lines] = text.split('\n');
  const [name = '', what = ''] = head.split('|');
  const rounds = lines.filter((line) => /^[\d.]+$/.test(line)).map(Number);
  if (rounds.length === 0) throw new Error(`${head}: there is no figure in ${text}`);
  for (const line of lines) {
    const [, sent, of] = /^sent (\d+) of (\d+)$/.exec(line) ?? [];
    // The kernel's own may be among them.
    if (sent !== undefined && Number(sent) < Number(of)) throw new Error(`${head}: ${sent} of ${of} packets came out`);
    const [, idle] = /^idle (-?[\d.]+)$/.exec(line) ?? [];
    if (idle === undefined) continue;
    if (Number(idle) > mostIdle) throw new Error(`${head}: nobody had anything to do for ${idle} of the time`);
    const spread = spreadOf(rounds);
    if (spread > mostSpread) throw new Error(`${head}: the rounds ${rounds.join(', ')} are ${spread} apart`);
  }
  return { name, what, rounds };
}

function spreadOf(rounds: readonly number[]): number {
  const middle = quantile(rounds, 0.5);
  const nearest = [...rounds].sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  const counted = rounds.length < manyRounds ? nearest : nearest.slice(0, -1);
  return Math.max(...counted) / Math.min(...counted) - 1;
}
