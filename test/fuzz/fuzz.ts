// Random packets through the loaded programs, and what did not hold.
import type { Settings } from '../../src/model/settings.ts';
import { takeCensus } from '../invariants.ts';
import type { Feeder } from '../kernel/feeder.ts';
import { type Answer, received, type Stage, tcVerdicts, xdpVerdicts } from '../kernel/stage.ts';
import { type Random, randomFrom } from '../random.ts';
import { check, isAnswer } from './check.ts';
import { makeFrame } from './frames.ts';

export interface Finding {
  /** What did not hold. */
  readonly what: string;
  /** Of a packet, if one alone shows it. */
  readonly hook?: Hook;
  readonly frame?: string;
  readonly verdict?: string;
  readonly packet?: string;
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
const CENSUSES = 5;
/** After so many the counters are looked at. */
const BATCH = 1000;
/** The kernel tries no shorter ones at TC. */
const TC_LEAST = 58;
/** No counted reason: what XDP leaves to TC, and what stands beside a reason. */
const notDrops = ['to-tc', 'icmp-limited', 'stateless', 'expired', 'path-mtu', 'client-untold'];

export interface FuzzOptions {
  readonly seed: number;
  /** Asked after each batch. */
  isEnough(packets: number): boolean;
}

interface Tried {
  readonly hook: Hook;
  readonly frame: Buffer;
  readonly answer: Answer;
}

export function fuzz(stage: Stage, feeder: Feeder, { seed, isEnough }: FuzzOptions): Outcome {
  const random = randomFrom(seed);
  const verdicts: Record<string, number> = {};
  const findings: Finding[] = [];
  let packets = 0;
  // Once: ways that are known, and these stay so, have it from when they were looked up.
  const pmtu_disc = random.below(2);
  stage.change({ pmtu_disc });
  learnWays(stage, random);
  while (!isEnough(packets) && findings.length < MOST_FINDINGS) {
    stage.change(someSettings(random));
    const batch = tryFrames(
      stage,
      feeder,
      Array.from({ length: BATCH }, () => makeFrame(random)),
      (frame) => (random.once(2) || frame.length < TC_LEAST ? 'xdp' : 'tc'),
    );
    packets += batch.length;
    for (const { hook, frame, answer } of batch) {
      const name = `${hook} ${answer.verdict}`;
      verdicts[name] = (verdicts[name] ?? 0) + 1;
      const what = check(frame, answer, pmtu_disc === 0);
      if (what !== undefined) findings.push(toFinding(what, { hook, frame, answer }));
    }
    const uncounted = checkReasons(stage, batch);
    if (uncounted !== undefined) findings.push({ what: uncounted }, ...uncountedAlone(stage, feeder, batch));
  }
  return { packets, verdicts, findings: [...findings, ...violations(stage).map((what) => ({ what }))] };
}

/** Those that stay: connections end by the timer while they are looked at. */
function violations(stage: Stage): readonly string[] {
  let lasting = takeCensus(stage.maps).violations;
  for (let look = 1; look < CENSUSES && lasting.length > 0; look++) {
    const found = new Set(takeCensus(stage.maps).violations);
    lasting = lasting.filter((violation) => found.has(violation));
  }
  return lasting;
}

function toFinding(what: string, { hook, frame, answer }: Tried): Finding {
  const { verdict, packet } = answer;
  return { what, hook, frame: frame.toString('hex'), verdict, packet: packet.toString('hex') };
}

/** In the stage's namespace all of them, for going there takes longer than a packet does. */
function tryFrames(
  stage: Stage,
  feeder: Feeder,
  frames: readonly Buffer[],
  hookOf: (frame: Buffer, index: number) => Hook,
): readonly Tried[] {
  const [xdp, tc, tagged] = [stage.program('director_xdp'), stage.program('director_tc'), feeder.program('one_tag')];
  return stage.run(() =>
    frames.map((frame, index) => {
      const hook = hookOf(frame, index);
      if (hook === 'xdp') {
        const { returnValue, packet } = xdp.testRun({ packet: frame, repeat: 1 });
        return { hook, frame, answer: { verdict: xdpVerdicts[returnValue] ?? 'aborted', packet } };
      }
      if (!isTagged(frame)) {
        const { returnValue, packet } = tc.testRun({ packet: frame, repeat: 1, context: received() });
        return { hook, frame, answer: { verdict: tcVerdicts[returnValue] ?? 'aborted', packet } };
      }
      // The kernel takes the outermost tag off before TC, and has it beside the packet.
      const bare = Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
      const { returnValue, packet } = tagged.testRun({ packet: bare, repeat: 1, context: received() });
      const verdict = tcVerdicts[returnValue] ?? 'aborted';
      const isAsItWas = verdict === 'pass' && packet.equals(bare);
      return { hook, frame, answer: { verdict, packet: isAsItWas ? frame : packet } };
    }),
  );
}

/** Of those that decide what becomes of a packet. */
function someSettings(random: Random): Partial<Settings> {
  const onOrOff = (): number => random.below(2);
  return {
    ...{ schedule_icmp: onOrOff(), nat_icmp_send: onOrOff() },
    ...{ sloppy_tcp: onOrOff(), sloppy_sctp: onOrOff(), expire_nodest_conn: onOrOff() },
    ...{ secure_tcp: random.pick([0, 3]), conn_reuse_mode: random.below(3) },
  };
}

/** Every packet that is dropped, or answered instead of being forwarded, is counted under a reason. */
function checkReasons(stage: Stage, batch: readonly Tried[]): string | undefined {
  const counted = Object.entries(stage.news()).filter(([name]) => !notDrops.includes(name));
  const told = counted.reduce((sum, [, count]) => sum + count, 0);
  const over = batch.filter(isOver).length;
  if (told >= over) return undefined;
  return `${over} packets were dropped or answered, and ${told} are counted: ${JSON.stringify(counted)}`;
}

/** Once more, each alone: which of them is it? */
function uncountedAlone(stage: Stage, feeder: Feeder, batch: readonly Tried[]): readonly Finding[] {
  stage.news();
  return batch.filter(isOver).flatMap(({ hook, frame }) =>
    tryFrames(stage, feeder, [frame], () => hook)
      .filter((again) => checkReasons(stage, [again]) !== undefined)
      .map((again) => toFinding('it is dropped or answered, and not counted', again)),
  );
}

function isOver({ frame, answer }: Tried): boolean {
  return answer.verdict === 'drop' || isAnswer(frame, answer);
}

/** XDP sends by ways that are known. */
function learnWays(stage: Stage, random: Random): void {
  for (let sent = 0; sent < BATCH; sent++) {
    const frame = makeFrame(random);
    if (frame.length >= TC_LEAST) stage.tc(frame);
  }
  stage.settle();
  stage.news();
}

function isTagged(frame: Buffer): boolean {
  return [0x8100, 0x88a8].includes(frame.readUInt16BE(12));
}
