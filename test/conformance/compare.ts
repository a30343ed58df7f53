// Holds two transcripts of one scenario against each other, step by step, with the few differences that mean nothing.

export interface Disagreement {
  /** The command or frame that was answered differently. */
  readonly step: string;
  readonly ipvs: readonly string[];
  readonly fairlead: readonly string[];
}

interface Step {
  readonly title: string;
  readonly lines: readonly string[];
}

/** A timer is read a moment later on one side than on the other. */
const EXPIRY_TOLERANCE_S = 1;

const entry = /^(\S+ +)(\d\d+):(\d\d)( .*)$/;

export function compare(ipvs: string, fairlead: string): readonly Disagreement[] {
  const [left, right] = [toSteps(ipvs), toSteps(fairlead)];
  const disagreements: Disagreement[] = [];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [there, here] = [left[index], right[index]];
    const isSame = there?.title === here?.title && isEqual(there?.lines ?? [], here?.lines ?? []);
    if (isSame) continue;
    const step = there?.title ?? here?.title ?? '';
    disagreements.push({ step, ipvs: there?.lines ?? ['(not reached)'], fairlead: here?.lines ?? ['(not reached)'] });
  }
  return disagreements;
}

/** A step begins with a line that shell or peers put before what they do: `$ ` and `> `. */
function toSteps(transcript: string): readonly Step[] {
  const steps: { title: string; lines: string[] }[] = [{ title: 'before the first step', lines: [] }];
  for (const line of transcript.split('\n').slice(0, -1)) {
    if (/^[$>] /.test(line)) steps.push({ title: line, lines: [] });
    else steps.at(-1)?.lines.push(line);
  }
  return steps.map(({ title, lines }) => ({ title, lines: inOrder(lines) }));
}

/** Both list connections in the order of a hash table with a random seed. */
function inOrder(lines: readonly string[]): readonly string[] {
  const sorted = lines.filter((line) => entry.test(line)).sort(byConnection);
  let next = 0;
  return lines.map((line) => (entry.test(line) ? (sorted[next++] ?? line) : line));
}

function byConnection(a: string, b: string): number {
  const [left, right] = [a, b].map((line) => line.replace(entry, '$1$4'));
  if (left === right) return secondsOf(a) - secondsOf(b);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function isEqual(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((line, index) => isSameLine(line, right[index] ?? ''));
}

function isSameLine(left: string, right: string): boolean {
  if (left === right) return true;
  if (left.replace(entry, '$1$4') !== right.replace(entry, '$1$4') || !entry.test(left)) return false;
  return Math.abs(secondsOf(left) - secondsOf(right)) <= EXPIRY_TOLERANCE_S;
}

function secondsOf(line: string): number {
  const [, , minutes, seconds] = entry.exec(line) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}
