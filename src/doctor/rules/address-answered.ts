// Asks who has each VIP: a real server that answers takes clients past the director, another director takes them away.

import type { Wire } from '../../kernel/wire.ts';
import type { Way } from '../network.ts';
import { type Finding, whoHas } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { type DirectorFacts, question, removeAddress, vipsOf, type Ward } from '../ward.ts';

export async function addressAnswered({ director, system, wire }: Ward): Promise<readonly Problem[]> {
  if (director === undefined) return [];
  const own = new Set(system.interfaces.map(({ mac }) => mac));
  const vips = vipsOf(director.services);
  const speaking = system.interfaces.flatMap((one) => {
    if (one.linkType !== 'ether' || !one.isUp) return [];
    const own = system.addresses.filter(
      ({ interface: name, address, isGlobal }) => name === one.name && isGlobal && !vips.includes(address),
    );
    return [false, true].flatMap((isSix) => {
      const source = own.find(({ address }) => address.includes(':') === isSix)?.address;
      return source === undefined ? [] : [{ interface: one, source }];
    });
  });
  const asked = vips.flatMap((vip) =>
    speaking.filter(({ source }) => source.includes(':') === vip.includes(':')).map((way) => ({ vip, way })),
  );
  const found = await Promise.all(
    asked.map(async ({ vip, way }) => {
      const macs = (await whoHas(vip, way, wire)).filter((mac) => !own.has(mac));
      const owners = macs.length === 0 ? new Map<string, Finding>() : await ownersOn(way, director, wire);
      return macs.map((mac) => toProblem(vip, mac, way.interface.name, owners.get(mac)));
    }),
  );
  return joined(found.flat());
}

/** One that answers on several interfaces is one problem. */
function joined(problems: readonly Problem[]): readonly Problem[] {
  const byMend = new Map<string, Problem>();
  for (const problem of problems) {
    const key = `${problem.mend.on} ${problem.mend.command}`;
    const known = byMend.get(key);
    byMend.set(key, known ? { ...known, evidence: `${known.evidence}; ${problem.evidence}` } : problem);
  }
  return [...byMend.values()];
}

/** By MAC. Who tells on one interface what is on another tells the RIP there as well. */
async function ownersOn(
  way: Pick<Way, 'interface' | 'source'>,
  { findings }: DirectorFacts,
  wire: Wire,
): Promise<ReadonlyMap<string, Finding>> {
  const same = findings.filter(({ rip }) => rip.includes(':') === way.source.includes(':'));
  const byRip = new Map(same.map((finding) => [finding.rip, finding]));
  const asked = await Promise.all(
    [...byRip].map(async ([rip, finding]) => {
      const macs = await whoHas(rip, way, wire);
      return macs.map((mac) => [mac, finding] as const);
    }),
  );
  return new Map(asked.flat());
}

function toProblem(vip: string, mac: string, interfaceName: string, finding: Finding | undefined): Problem {
  const evidence = `asked on ${interfaceName} who has ${vip}, ${mac} answered`;
  if (finding === undefined)
    return {
      id: 'two-directors',
      wrong: `another machine has the VIP ${vip}: ${mac} on ${interfaceName}`,
      why: 'of two that say that they have one address clients get now this one, now that one, and connections break',
      evidence,
      mend: { command: removeAddress(vip), on: `the machine with the MAC ${mac}`, isSafe: false },
    };
  const { rip, destination } = finding;
  const isVipThere = destination.method === 'gate' || destination.method === 'tunnel';
  return {
    id: 'arp',
    wrong: `the real server ${rip} (${mac}) answers ${question(vip)} for the VIP ${vip}`,
    why: 'clients and routers then send to it past the director, and all of them to one real server',
    evidence,
    mend: {
      command: isVipThere
        ? `${removeAddress(vip, 'lo')}; fairlead realserver add ${vip} --method ${destination.method}`
        : removeAddress(vip),
      on: rip,
      isSafe: false,
    },
  };
}
