// A service that tells real servers its UDP clients by a header in front of UDP: one that has no use for it finds no datagram.
import { formatAddress, parseAddress } from '../../model/address.ts';
import { ipFrame, parseMac, readAnswer, toldDatagram, toldProtocol } from '../frames.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

const patienceMs = 700;
/** Where nothing listens: whoever finds the datagram refuses it. */
const discardPort = 9;

export async function clientHeader({ director, wire }: Ward): Promise<readonly Problem[]> {
  const asked = (director?.findings ?? []).filter(
    ({ service, destination }) => service.uoa === 'opp' && destination.method === 'fullnat',
  );
  const byRip = new Map(asked.map((finding) => [finding.rip, finding]));
  const found = await Promise.all([...byRip.values()].map((finding) => examine(finding, wire)));
  return found.flatMap((problem) => problem ?? []);
}

async function examine(finding: Finding, wire: Ward['wire']): Promise<Problem | undefined> {
  const { rip, vip, way, mac } = finding;
  if (way === undefined || mac === undefined) return undefined;
  const [local = way.source, ...others] = localsOf(finding);
  const target = parseAddress(rip).bytes;
  const refusals = wire.collect(
    ({ frame }) => {
      const answer = readAnswer(frame);
      if (answer?.kind !== 'unreachable' || answer.protocol !== toldProtocol) return undefined;
      return answer.target.join() === target.join() ? true : undefined;
    },
    patienceMs,
    { isOne: true },
  );
  const datagram = toldDatagram(parseAddress(local).bytes, target, discardPort);
  wire.send(way.interface.index, ipFrame(parseMac(mac), parseMac(way.interface.mac), datagram));
  if ((await refusals).length === 0) return undefined;
  const directors = [local, ...others].map((address) => `--director ${address}`).join(' ');
  return {
    id: 'no-decapsulator',
    wrong: `the real server ${rip} takes no datagram out of the header that tells it the client (--uoa opp)`,
    why: 'fullnat: it has neither our programs nor the module of DPVS, and finds no UDP in such packets',
    evidence: `a datagram with such a header was answered by ICMP: protocol ${toldProtocol} unreachable`,
    mend: { command: `fairlead realserver add ${vip} --method fullnat ${directors}`, on: rip, isSafe: false },
  };
}

/** By which the service's packets come to the real server. */
function localsOf({ service, destination }: Finding): readonly string[] {
  return service.localAddresses.filter(({ family }) => family === destination.rip.family).map(formatAddress);
}
