// Ways out of this machine that are gone, or that throw away what goes by them, whoever they lead to.

import type { System } from '../realserver/system.ts';
import { whoHas } from './knock.ts';
import type { Network, Way } from './network.ts';
import type { Problem } from './problem.ts';
import { ipOf, isSwitchedOff, question, unknownAddress, unknownRouter, type Ward } from './ward.ts';

export interface Journey {
  readonly to: string;
  /** Answers come from the VIP, and rules may route them by it. */
  readonly from?: string;
}

type Words = (
  address: string,
  refusal: string | undefined,
) => Pick<Problem, 'wrong' | 'why'> & { readonly mend?: string | undefined };

/** Of this family: an interface that goes down, or whose IPv6 is switched off, loses them, and the routes by them. */
export function addressless(isSix: boolean, { interfaces, addresses }: System): Problem | undefined {
  const links = interfaces.filter(({ linkType, isUp }) => linkType === 'ether' && isUp);
  const [first] = links;
  const isHeld = addresses.some(
    ({ interface: name, address, isGlobal }) =>
      isGlobal && address.includes(':') === isSix && links.some((one) => one.name === name),
  );
  if (isHeld || first === undefined) return undefined;
  const [ip, family] = isSix ? ['ip -6', 'IPv6'] : ['ip', 'IPv4'];
  const off = isSix ? links.find(({ name }) => isSwitchedOff(name)) : undefined;
  const { name } = off ?? first;
  const on = off === undefined ? '' : `sysctl -w net.ipv6.conf.${name}.disable_ipv6=0 && `;
  return {
    id: 'no-route',
    wrong: `this machine has no address of ${family} but on lo`,
    why: 'every method: nothing comes to it, and what leaves it has no way',
    evidence: `\`${ip} address show scope global\`${off === undefined ? '' : `, and net.ipv6.conf.${name}.disable_ipv6 is 1`}`,
    mend: { command: `${on}${ip} address add ${unknownAddress} dev ${name}`, isSafe: false },
  };
}

/** Where there is no way; one problem for all that one command mends. */
export function lost(journeys: readonly Journey[], network: Network, words: Words): readonly Problem[] {
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

interface Hop extends Way {
  readonly gateway: string;
  readonly table: string | undefined;
}

/** Gateways on these ways that are gone, or whose MAC somebody has written down wrongly. */
export async function lostGateways(
  journeys: readonly Journey[],
  { network, system, wire }: Pick<Ward, 'network' | 'system' | 'wire'>,
): Promise<readonly Problem[]> {
  const hops = new Map<string, Hop>();
  const note = (gateway: string, table?: string): void => {
    const way = network.wayTo(gateway);
    if (way?.interface.linkType === 'ether') hops.set(`${way.interface.name} ${gateway}`, { ...way, gateway, table });
  };
  for (const { to, from } of journeys) {
    const { gateway, table } = network.routeTo(to, from) ?? {};
    if (gateway === undefined) continue;
    note(gateway, table);
    // Of several at once each takes its share of the connections.
    for (const other of system.gateways.find(({ address }) => address === gateway)?.besides ?? []) note(other, table);
  }
  const found = await Promise.all(
    [...hops.values()].map(async (hop): Promise<readonly Problem[]> => {
      const { gateway, interface: one } = hop;
      const macs = await whoHas(gateway, hop, wire, { isOne: true });
      const written = network.permanentMac(gateway, one.name);
      if (macs.length === 0) return written === undefined ? [gone(hop)] : [];
      return written === undefined || macs.includes(written)
        ? []
        : [wrongNeighbour(gateway, one.name, written, macs[0])];
    }),
  );
  return found.flat();
}

function gone({ gateway, table, interface: { name } }: Hop): Problem {
  return {
    id: 'no-route',
    wrong: `the gateway ${gateway} does not answer`,
    why: 'every method: what is sent from here to whoever is behind it is lost',
    evidence: `asked by ${question(gateway)} on ${name}, nobody has it`,
    mend: { command: rerouteCommand(gateway, table), isSafe: false },
  };
}

/** Whichever its routes are: most have one, the default. */
export function rerouteCommand(gateway: string, table: string | undefined): string {
  const [ip, place] = [ipOf(gateway), table === undefined ? '' : ` table ${table}`];
  return `${ip} route show${place} via ${gateway} | while read -r to _; do [ $to = nexthop ] || ${ip} route replace $to via ${unknownRouter}${place}; done`;
}

export function wrongNeighbour(address: string, name: string, written?: string, answered?: string): Problem {
  return {
    id: 'wrong-neighbour',
    wrong: `packets for ${address} go to the MAC ${written}, which it has not`,
    why: 'every method: whoever has that MAC gets its packets, or nobody',
    evidence: `\`ip neigh\` has a permanent entry; by ${question(address)} ${answered} answered`,
    mend: { command: `ip neigh del ${address} dev ${name}`, isSafe: false },
  };
}
