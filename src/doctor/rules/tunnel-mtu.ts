// A path to a tunnel's end that takes less than its first link, and does not say so: large packets are lost without a word.
import { parseAddress } from '../../model/address.ts';
import { echo, ipFrame, leastEcho, parseMac, readAnswer } from '../frames.ts';
import { type Finding, knockAtSize } from '../probe.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

const patienceMs = 700;
const steps = 12;
/** Larger than one without a payload, in whichever tunnel. */
const leastSyn = 200;

export async function tunnelMtu({ director, wire }: Ward): Promise<readonly Problem[]> {
  const ends = new Map<string, Finding>();
  for (const finding of director?.findings ?? []) {
    if (finding.destination.method === 'tunnel' && finding.mac !== undefined) ends.set(finding.rip, finding);
  }
  const found = await Promise.all([...ends.values()].map((finding) => measure(finding, wire)));
  return found.flatMap((problem) => problem ?? []);
}

type Passing = 'passes' | 'told' | 'lost';
/** What is sent, and what the least of it is. */
interface Probe {
  readonly what: string;
  readonly least: number;
  readonly passes: (size: number) => Promise<Passing>;
}

async function measure(finding: Finding, wire: Ward['wire']): Promise<Problem | undefined> {
  const { rip, way, vip } = finding;
  if (way === undefined) return undefined;
  const probe = await firstAnswered([byEcho(finding, wire), byConnection(finding, wire)]);
  if (probe === undefined || (await probe.passes(way.mtu)) !== 'lost') return undefined;
  let [low, high] = [probe.least, way.mtu];
  for (let step = 0; step < steps && high - low > 1; step++) {
    const size = (low + high) >> 1;
    if ((await probe.passes(size)) === 'passes') low = size;
    else high = size;
  }
  const by = way.gateway === undefined ? '' : ` via ${way.gateway}`;
  return {
    id: 'tunnel-mtu',
    wrong: `the path to ${rip} takes packets of ${low} bytes at the most, and nobody says so`,
    why: `tunnel: full segments do not fit, and connections hang at their first large packet. With a route that knows it the director tells clients; where they get no ICMP, let the real server bound segments too: fairlead realserver add ${vip} --method tunnel --mtu ${low}`,
    evidence: `${probe.what} of ${low} bytes were answered, those of ${way.mtu} were lost without an ICMP error`,
    mend: { command: `ip route replace ${rip}${by} dev ${way.interface.name} mtu lock ${low}`, isSafe: false },
  };
}

async function firstAnswered(probes: readonly Probe[]): Promise<Probe | undefined> {
  for (const probe of probes) if ((await probe.passes(probe.least)) === 'passes') return probe;
  return undefined;
}

/** To the real server itself: of all tunnels to it. */
function byEcho({ rip, way, mac }: Finding, wire: Ward['wire']): Probe {
  const id = Math.floor(Math.random() * 0xffff);
  return {
    what: 'echo requests',
    least: leastEcho(bytesOf(rip)),
    passes: async (size) => {
      if (way === undefined || mac === undefined) return 'lost';
      const { index, mac: own } = way.interface;
      const frame = ipFrame(parseMac(mac), parseMac(own), echo(bytesOf(way.source), bytesOf(rip), id, size));
      const answers = wire.collect<Passing>(
        ({ frame: seen }) => {
          const answer = readAnswer(seen);
          if (answer?.kind === 'echo' && answer.id === id && answer.size === size) return 'passes';
          return answer?.kind === 'too-big' && same(answer.target, bytesOf(rip)) ? 'told' : undefined;
        },
        patienceMs,
        { isOne: true },
      );
      wire.send(index, frame);
      return (await answers)[0] ?? 'lost';
    },
  };
}

/** Where no echo comes through: a SYN with bytes behind it, which every TCP answers and nobody reads. */
function byConnection(finding: Finding, wire: Ward['wire']): Probe {
  const isAnswered = finding.dressed === 'accepted' || finding.dressed === 'refused';
  return {
    what: 'SYNs in the tunnel',
    least: leastSyn,
    passes: async (size) => {
      if (!isAnswered) return 'lost';
      switch (await knockAtSize(finding, size, wire)) {
        case 'accepted':
        case 'refused':
          return 'passes';
        case 'too-big':
          return 'told';
        default:
          return 'lost';
      }
    },
  };
}

function bytesOf(address: string): readonly number[] {
  return parseAddress(address).bytes;
}

function same(one: readonly number[], other: readonly number[]): boolean {
  return one.join() === other.join();
}
