// Random packets through the loaded programs, and what did not hold.
import { takeCensus } from '../invariants.ts';
import type { Feeder } from '../kernel/feeder.ts';
import { type Answer, type Stage, tcVerdicts } from '../kernel/stage.ts';
import { type Random, randomFrom } from '../random.ts';
import { check, isAnswer } from './check.ts';
import { makeFrame } from './frames.ts';

export interface Finding {
  /** What did not hold. */
  readonly what: string;
  readonly hook: Hook;
  readonly frame: string;
  readonly verdict: string;
  readonly packet: string;
}

export interface Outcome {
  readonly packets: number;
  /** By what became of them: `xdp redirect` and so on. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

type Hook = 'xdp' | 'tc';

/** Of these, each may show the same mistake. */
const MOST_FINDINGS = 10;
/** After so many the counters are looked at. */
const BATCH = 1000;
/** The kernel tries no shorter ones at TC. */
const TC_LEAST = 58;
/** No counted reason: what XDP leaves to TC, and what stands beside a reason. */
const notDrops = ['to-tc', 'icmp-limited', 'stateless', 'expired', 'path-mtu'];

/** Until `isOver` says so, looked at after each batch. */
export function fuzz(stage: Stage, feeder: Feeder, seed: number, isOver: (packets: number) => boolean): Outcome {
  const random = randomFrom(seed);
  const verdicts: Record<string, number> = {};
  const findings: Finding[] = [];
  let packets = 0;
  const note = (what: string | undefined, hook: Hook, frame: Buffer, { verdict, packet }: Answer): void => {
    if (what === undefined) return;
    findings.push({ what, hook, frame: frame.toString('hex'), verdict, packet: packet.toString('hex') });
  };
  learnWays(stage, random);
  stage.news();
  while (!isOver(packets) && findings.length < MOST_FINDINGS) {
    let dropped = 0;
    for (let sent = 0; sent < BATCH; sent++, packets++) {
      const frame = makeFrame(random);
      const hook = random.once(2) || frame.length < TC_LEAST ? 'xdp' : 'tc';
      const answer = hook === 'xdp' ? stage.xdp(frame) : atTc(stage, feeder, frame);
      const name = `${hook} ${answer.verdict}`;
      verdicts[name] = (verdicts[name] ?? 0) + 1;
      note(check(frame, answer), hook, frame, answer);
      if (answer.verdict === 'drop' || isAnswer(frame, answer)) dropped++;
    }
    const counted = Object.entries(stage.news()).filter(([name]) => !notDrops.includes(name));
    const told = counted.reduce((sum, [, count]) => sum + count, 0);
    if (told < dropped) {
      const nothing = { verdict: 'drop', packet: Buffer.alloc(0) } as const;
      note(`${dropped} packets were dropped or answered, and ${told} counted: ${JSON.stringify(counted)}`, 'tc', nothing.packet, nothing);
    }
  }
  for (const what of takeCensus(stage.maps).violations) {
    findings.push({ what, hook: 'tc', frame: '', verdict: '', packet: '' });
  }
  return { packets, verdicts, findings };
}

/** XDP sends by ways that are known. */
function learnWays(stage: Stage, random: Random): void {
  for (let sent = 0; sent < BATCH; sent++) {
    const frame = makeFrame(random);
    if (frame.length >= TC_LEAST) stage.tc(frame);
  }
  stage.settle();
}

/** The kernel takes the outermost tag off before TC, and says beside the packet what it was. */
function atTc(stage: Stage, feeder: Feeder, frame: Buffer): Answer {
  if (!isTagged(frame)) return stage.tc(frame);
  const bare = Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
  const { returnValue, packet } = stage.run(() => feeder.program('one_tag').testRun({ packet: bare, repeat: 1 }));
  const verdict = tcVerdicts[returnValue] ?? 'aborted';
  // Passed on with its tag: the kernel has it beside the packet, and shows it without.
  return { verdict, packet: verdict === 'pass' && packet.equals(bare) ? frame : packet };
}

function isTagged(frame: Buffer): boolean {
  return [0x8100, 0x88a8].includes(frame.readUInt16BE(12));
}
