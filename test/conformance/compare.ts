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
  /** In seconds: when it began, and when what followed it did. */
  readonly from: number;
  readonly to: number;
}

interface Side {
  readonly steps: readonly Step[];
  readonly index: number;
}

/** One side's clock was read just before a second was over, the other's just after. */
const EXPIRY_TOLERANCE_S = 1;

/** Of IPv6 packets that the director sends by itself: its kernel chooses it, or none. */
const ownFlowLabel = /( hlim 64(?: tc 0x[0-9a-f]+)?) flow 0x[0-9a-f]+/g;
/** IPVS's ipvsadm would load a module, which is there already; what comes of it depends on what else the machine has. */
const asksForModule = /^! modprobe: /;
const entry = /^(\S+ +)(\d\d+):(\d\d)( .*)$/;

export function compare(ipvs: string, fairlead: string): readonly Disagreement[] {
  const [left, right] = [toSteps(ipvs), toSteps(fairlead)];
  const disagreements: Disagreement[] = [];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [there, here] = [left[index], right[index]];
    if (there?.title === here?.title && isEqual({ steps: left, index }, { steps: right, index })) continue;
    const step = there?.title ?? here?.title ?? '';
    disagreements.push({ step, ipvs: there?.lines ?? ['(not reached)'], fairlead: here?.lines ?? ['(not reached)'] });
  }
  return disagreements;
}

/** From the first step's begin to the last one's end. */
export function durationS(transcript: string): number {
  const times = [...transcript.matchAll(/^@ (\d+\.\d+)$/gm)].map(([, time]) => Number(time));
  return (times.at(-1) ?? 0) - (times[0] ?? 0);
}

/** A step begins with a line that scenario.sh puts before what it does: `$ ` and `> `. */
function toSteps(transcript: string): readonly Step[] {
  const steps: { title: string; lines: string[]; from: number; to: number }[] = [];
  steps.push({ title: 'before the first step', lines: [], from: 0, to: 0 });
  let clock = 0;
  for (const line of transcript.split('\n').slice(0, -1)) {
    const time = /^@ (\d+\.\d+)$/.exec(line)?.[1];
    const last = steps.at(-1);
    if (time !== undefined) clock = Number(time);
    if (time !== undefined && last?.to === last?.from && last) last.to = clock;
    else if (/^[$>] /.test(line)) steps.push({ title: line, lines: [], from: clock, to: clock });
    else if (time === undefined && !asksForModule.test(line)) last?.lines.push(line.replace(ownFlowLabel, '$1'));
  }
  return steps.map((step) => ({ ...step, lines: inOrder(step.lines) }));
}

/** Both list connections in the order of a hash table with a random seed. */
function inOrder(lines: readonly string[]): readonly string[] {
  const sorted = lines.filter((line) => entry.test(line)).sort(byConnection);
  let next = 0;
  return lines.map((line) => (entry.test(line) ? (sorted[next++] ?? line) : line));
}

function byConnection(a: string, b: string): number {
  const [left = '', right = ''] = [a, b].map(withoutExpiry);
  if (left === right) return secondsOf(a) - secondsOf(b);
  return left < right ? -1 : 1;
}

function isEqual(ipvs: Side, fairlead: Side): boolean {
  const [left, right] = [[...linesOf(ipvs)], [...linesOf(fairlead)]];
  for (;;) {
    const [there, here] = [left[0], right[0]];
    if (there === undefined && here === undefined) return true;
    if (there !== undefined && here !== undefined && isSameLine(there, here, ipvs, fairlead)) {
      left.shift();
      right.shift();
    } else if (there !== undefined && mayBeOver(there, ipvs, fairlead)) left.shift();
    else if (here !== undefined && mayBeOver(here, fairlead, ipvs)) right.shift();
    else return false;
  }
}

/** Of a connection that `side` lists: on the other side, which was slower, its timer may have run out. */
function mayBeOver(line: string, side: Side, other: Side): boolean {
  if (!entry.test(line)) return false;
  return side.steps.slice(0, side.index).some(({ title }, sender) => {
    const sent = other.steps[sender];
    const listed = other.steps[other.index];
    if (!title.startsWith('> ') || sent === undefined || listed === undefined) return false;
    return listed.to - sent.from + EXPIRY_TOLERANCE_S >= timeoutSince(sender, side, line).from;
  });
}

/**
 * What a connection has left depends on how long ago its last packet was, and the two sides do not run at one pace. Some step
 * sent that packet: seen from there, the timeouts must be the same.
 */
function isSameLine(left: string, right: string, ipvs: Side, fairlead: Side): boolean {
  if (left === right) return true;
  if (!entry.test(left) || withoutExpiry(left) !== withoutExpiry(right)) return false;
  return ipvs.steps.slice(0, ipvs.index).some(({ title }, sender) => {
    if (!title.startsWith('> ')) return false;
    const [there, here] = [timeoutSince(sender, ipvs, left), timeoutSince(sender, fairlead, right)];
    return there.from <= here.to + EXPIRY_TOLERANCE_S && here.from <= there.to + EXPIRY_TOLERANCE_S;
  });
}

/** Between which two values a timeout lies that a packet of the step `sender` began, and of which `line` says what is left. */
function timeoutSince(sender: number, { steps, index }: Side, line: string): { from: number; to: number } {
  const [sent, listed] = [steps[sender], steps[index]];
  const left = secondsOf(line);
  return { from: left + (listed?.from ?? 0) - (sent?.to ?? 0), to: left + (listed?.to ?? 0) - (sent?.from ?? 0) };
}

function linesOf({ steps, index }: Side): readonly string[] {
  return steps[index]?.lines ?? [];
}

function withoutExpiry(line: string): string {
  return line.replace(entry, '$1$4');
}

function secondsOf(line: string): number {
  const [, , minutes, seconds] = entry.exec(line) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}
