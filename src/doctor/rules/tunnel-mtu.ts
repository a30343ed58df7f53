// A path to a tunnel's end that takes less than its first link, and does not say so: large packets are lost without a word.
import { parseAddress } from '../../model/address.ts';
import { echo, ipFrame, leastEcho, parseMac, readAnswer } from '../frames.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

const patienceMs = 700;
const steps = 12;

export async function tunnelMtu({ director, wire }: Ward): Promise<readonly Problem[]> {
  const ends = new Map<string, Finding>();
  for (const finding of director?.findings ?? []) {
    if (finding.destination.method === 'tunnel' && finding.mac !== undefined) ends.set(finding.rip, finding);
  }
  const found = await Promise.all([...ends.values()].map((finding) => measure(finding, wire)));
  return found.flatMap((problem) => problem ?? []);
}

async function measure(finding: Finding, wire: Ward['wire']): Promise<Problem | undefined> {
  const { rip, way, mac, vip } = finding;
  if (way === undefined || mac === undefined) return undefined;
  const id = Math.floor(Math.random() * 0xffff);
  const passes = async (size: number): Promise<'passes' | 'told' | 'lost'> => {
    const frame = ipFrame(
      parseMac(mac),
      parseMac(way.interface.mac),
      echo(bytesOf(way.source), bytesOf(rip), id, size),
    );
    const answers = wire.collect<'passes' | 'told'>(
      ({ frame: seen }) => {
        const answer = readAnswer(seen);
        if (answer?.kind === 'echo' && answer.id === id && answer.size === size) return 'passes';
        return answer?.kind === 'too-big' && same(answer.target, bytesOf(rip)) ? 'told' : undefined;
      },
      patienceMs,
      { isOne: true },
    );
    wire.send(way.interface.index, frame);
    return (await answers)[0] ?? 'lost';
  };
  const least = leastEcho(bytesOf(rip));
  if ((await passes(least)) !== 'passes' || (await passes(way.mtu)) !== 'lost') return undefined;
  let [low, high] = [least, way.mtu];
  for (let step = 0; step < steps && high - low > 1; step++) {
    const size = (low + high) >> 1;
    if ((await passes(size)) === 'passes') low = size;
    else high = size;
  }
  const by = way.gateway === undefined ? '' : ` via ${way.gateway}`;
  return {
    id: 'tunnel-mtu',
    wrong: `the path to ${rip} takes packets of ${low} bytes at the most, and nobody says so`,
    why: `tunnel: full segments do not fit, and connections hang at their first large packet. With a route that knows it the director tells clients; where they get no ICMP, let the real server bound segments too: fairlead realserver add ${vip} --method tunnel --mtu ${low}`,
    evidence: `echo requests of ${low} bytes were answered, those of ${way.mtu} were lost without an ICMP error`,
    mend: { command: `ip route replace ${rip}${by} dev ${way.interface.name} mtu lock ${low}`, isSafe: false },
  };
}

function bytesOf(address: string): readonly number[] {
  return parseAddress(address).bytes;
}

function same(one: readonly number[], other: readonly number[]): boolean {
  return one.join() === other.join();
}
