// Ways out of this machine that are not there, or that throw away what goes by them.
import { formatAddress } from '../../model/address.ts';
import type { Way } from '../network.ts';
import { whoHas } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { type DirectorFacts, downInterfaces, ipOf, question, unknownRouter, type Ward } from '../ward.ts';
import { wrongNeighbour } from './neighbours.ts';

/** More clients than these say nothing new, and each is a question to the kernel. */
const mostClients = 64;

export async function routes(ward: Ward): Promise<readonly Problem[]> {
  const { director, network, system } = ward;
  // With an interface that is down its routes are gone: that is told, and comes first.
  if (director === undefined || downInterfaces(system).length > 0) return [];
  const rips = director.services.flatMap(({ destinations }) => destinations.map(({ rip }) => formatAddress(rip)));
  const own = new Set(system.addresses.map(({ address }) => address));
  return [
    ...lost(
      [...new Set(rips)].map((rip) => ({ to: rip })),
      network,
      (rip, refusal) => ({
        wrong: `there is no way from this director to the real server ${rip}`,
        why: 'every method: what clients send it is dropped here',
        mend: refusal === undefined ? `${ipOf(rip)} route add ${rip} via ${unknownRouter}` : undefined,
      }),
    ),
    ...lost(answersFrom(director, own), network, (client, refusal) => ({
      wrong: `there is no way from this director to the client ${client}`,
      why: 'masq and fullnat: answers of real servers come by this director, and are dropped here',
      mend: refusal === undefined ? `${ipOf(client)} route add default via ${unknownRouter}` : undefined,
    })),
    ...(await gateways([...rips.map((to) => ({ to })), ...answersFrom(director, own)], ward)),
  ];
}

/** Those on the way to these addresses that are gone, or whose MAC somebody has written down wrongly. */
async function gateways(journeys: readonly Journey[], { network, system, wire }: Ward): Promise<readonly Problem[]> {
  const ways = new Map<string, Hop>();
  const note = (gateway: string, table?: string): void => {
    const way = network.wayTo(gateway);
    if (way?.interface.linkType === 'ether') ways.set(`${way.interface.name} ${gateway}`, { ...way, gateway, table });
  };
  for (const { to, from } of journeys) {
    const { gateway, table } = network.routeTo(to, from) ?? {};
    if (gateway === undefined) continue;
    note(gateway, table);
    // Of several at once each takes its share of the connections.
    for (const other of system.gateways.find(({ address }) => address === gateway)?.besides ?? []) note(other, table);
  }
  const found = await Promise.all(
    [...ways.values()].map(async (way): Promise<readonly Problem[]> => {
      const { gateway, interface: one } = way;
      const macs = await whoHas(gateway, way, wire, { isOne: true });
      const written = network.permanentMac(gateway, one.name);
      if (macs.length === 0) return written === undefined ? [gone(way)] : [];
      return written === undefined || macs.includes(written)
        ? []
        : [wrongNeighbour(gateway, one.name, written, macs[0])];
    }),
  );
  return found.flat();
}

interface Hop extends Way {
  readonly gateway: string;
  readonly table: string | undefined;
}

function gone({ gateway, table, interface: { name } }: Hop): Problem {
  const [ip, place] = [ipOf(gateway), table === undefined ? '' : ` table ${table}`];
  return {
    id: 'no-route',
    wrong: `the gateway ${gateway} does not answer`,
    why: 'every method: what this director sends to whoever is behind it is lost',
    evidence: `asked by ${question(gateway)} on ${name}, nobody has it`,
    mend: {
      // Whichever its routes are: most have one, the default.
      command: `${ip} route show${place} via ${gateway} | while read -r to _; do [ $to = nexthop ] || ${ip} route replace $to via ${unknownRouter}${place}; done`,
      isSafe: false,
    },
  };
}

interface Journey {
  readonly to: string;
  /** Answers come from the VIP, and rules may route them by it. */
  readonly from?: string;
}

/** With gate and tunnel it is real servers that answer clients. */
function answersFrom({ connections }: DirectorFacts, own: ReadonlySet<string>): readonly Journey[] {
  const found = new Map<string, Journey>();
  for (const { method, client, virtual, isTemplate } of connections) {
    if (isTemplate || (method !== 'masq' && method !== 'fullnat')) continue;
    const [to, from] = [formatAddress(client.address), formatAddress(virtual.address)];
    // The kernel answers for an address that is its own alone.
    found.set(`${to} ${from}`, own.has(from) ? { to, from } : { to });
    if (found.size === mostClients) break;
  }
  return [...found.values()];
}

type Words = (
  address: string,
  refusal: string | undefined,
) => Pick<Problem, 'wrong' | 'why'> & { readonly mend?: string | undefined };

/** One problem for all that one command mends. */
function lost(journeys: readonly Journey[], network: Ward['network'], words: Words): readonly Problem[] {
  const byCommand = new Map<string, Problem>();
  for (const { to, from } of journeys) {
    if (network.isReachable(to, from)) continue;
    const rule = network.refusingRule('to', to) ?? (from && network.refusingRule('from', from));
    const refusal = rule ?? network.refusalOf(to);
    const {
      wrong,
      why,
      mend = `${ipOf(to)} ${rule === undefined ? 'route' : 'rule'} del ${refusal}`,
    } = words(to, refusal);
    const asked = `\`ip route get ${to}${from === undefined ? '' : ` from ${from}`}\``;
    const evidence =
      refusal === undefined
        ? `${asked} names no way`
        : `${asked} is refused, by the ${rule === undefined ? 'route' : 'rule'} ${refusal}`;
    if (!byCommand.has(mend))
      byCommand.set(mend, { id: 'no-route', wrong, why, evidence, mend: { command: mend, isSafe: false } });
  }
  return [...byCommand.values()];
}
