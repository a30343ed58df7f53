// Asks who has each VIP: a real server that answers takes clients past the director, another director takes them away.

import type { Wire } from '../../kernel/wire.ts';
import { whoHas } from '../knock.ts';
import type { Way } from '../network.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { type DirectorFacts, question, removeAddress, type Ward } from '../ward.ts';

export async function addressAnswered(ward: Ward): Promise<readonly Problem[]> {
  const { director, system } = ward;
  const found = await Promise.all(
    (director?.vips ?? []).map(async (vip) => {
      const answers = await answerers(vip, ward);
      // One that has not the VIP itself stands by for the one that has.
      const isHeld = system.addresses.some(({ address }) => address === vip);
      return answers.filter(({ realServer }) => isHeld || realServer !== undefined).map((one) => toProblem(vip, one));
    }),
  );
  return joined(found.flat());
}

/** Another machine that tells that it has a VIP. */
export interface Answerer {
  readonly mac: string;
  readonly interface: string;
  /** undefined: it is none. */
  readonly realServer: Finding | undefined;
}

/** On all links on which this machine can speak for itself. */
export async function answerers(vip: string, { director, system, wire }: Ward): Promise<readonly Answerer[]> {
  if (director === undefined) return [];
  const { vips } = director;
  const own = new Set(system.interfaces.map(({ mac }) => mac));
  const links = system.interfaces.flatMap((one) => {
    if (one.linkType !== 'ether' || !one.isUp) return [];
    const source = system.addresses.find(
      ({ interface: name, address, isGlobal }) =>
        name === one.name && isGlobal && !vips.includes(address) && address.includes(':') === vip.includes(':'),
    );
    return source === undefined ? [] : [{ interface: one, source: source.address }];
  });
  const found = await Promise.all(
    links.map(async (link) => {
      const macs = (await whoHas(vip, link, wire)).filter((mac) => !own.has(mac));
      const owners = macs.length === 0 ? [] : await ownersOn(link, director, wire);
      const whose = (mac: string): Finding | undefined =>
        inPart(
          owners.filter((one) => one.mac === mac).map(({ finding }) => finding),
          vip,
        );
      return macs.map((mac) => ({ mac, interface: link.interface.name, realServer: whose(mac) }));
    }),
  );
  return found.flat();
}

/** One machine may be a real server by several addresses and methods: that by which it has this VIP comes first. */
function inPart(findings: readonly Finding[], vip: string): Finding | undefined {
  const ofVip = findings.filter((one) => one.vip === vip);
  const byMark = findings.filter((one) => one.vip === '');
  return ofVip.find(holdsVip) ?? ofVip[0] ?? byMark.find(holdsVip) ?? findings[0];
}

function holdsVip({ destination: { method } }: Finding): boolean {
  return method === 'gate' || method === 'tunnel';
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

/** With the MACs that they tell. Who tells on one interface what is on another tells the RIP there as well. */
async function ownersOn(
  way: Pick<Way, 'interface' | 'source'>,
  { findings }: DirectorFacts,
  wire: Wire,
): Promise<readonly { readonly mac: string; readonly finding: Finding }[]> {
  const same = findings.filter(({ rip }) => rip.includes(':') === way.source.includes(':'));
  const found = await Promise.all(
    [...new Set(same.map(({ rip }) => rip))].map(async (rip) => {
      const macs = await whoHas(rip, way, wire);
      return same.filter((one) => one.rip === rip).flatMap((finding) => macs.map((mac) => ({ mac, finding })));
    }),
  );
  return found.flat();
}

export function toProblem(vip: string, { mac, interface: interfaceName, realServer }: Answerer): Problem {
  const evidence = `asked on ${interfaceName} who has ${vip}, ${mac} answered`;
  if (realServer === undefined)
    return {
      id: 'two-directors',
      wrong: `another machine has the VIP ${vip}: ${mac} on ${interfaceName}`,
      why: 'of two that say that they have one address clients get now this one, now that one, and connections break',
      evidence,
      mend: { command: removeAddress(vip), on: `the machine with the MAC ${mac}`, isSafe: false },
    };
  const { rip, destination } = realServer;
  // Of a service by mark nobody knows the VIPs.
  const isVipThere = holdsVip(realServer) && ['', vip].includes(realServer.vip);
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
