// Our programs must be on the interfaces that packets come by, and nobody else's in front of them.
import { listTc } from '../../kernel/tc.ts';
import type { Problem } from '../problem.ts';
import { downInterfaces, type Ward } from '../ward.ts';

/** Ours: a real server's programs and a director's. */
const ownPriorities: readonly number[] = [62, 63, 64];
/** No name of a program: what BPF filters are made from. */
const ownNames = /^(client_learn|director_tc|realserver_tc)/;

export function attached({ director, system, vips }: Ward): readonly Problem[] {
  const down = downInterfaces(system).map(toDown);
  if (director === undefined) {
    if (vips.length === 0) return [];
    return vips.some(({ method }) => method === 'tunnel') ? [...down, ...beforeDecapsulator(system)] : down;
  }
  const { unattached, attachments } = director.status;
  const gone = unattached
    .filter(({ interface: name }) => system.interfaces.some((one) => one.name === name && one.isUp))
    .filter(({ why }) => !why.includes('named others'))
    .map(
      ({ interface: name, why }): Problem => ({
        id: 'not-attached',
        wrong: `no packets are taken from ${name}`,
        why: "what comes by it goes to this machine's own stack, and is refused there",
        evidence: why,
        mend: { command: 'fairlead attach', isSafe: true },
      }),
    );
  return [
    ...down,
    ...gone,
    ...attachments.flatMap(({ interface: name, index, xdp }) => others(name, index, xdp, system)),
  ];
}

function toDown(name: string): Problem {
  return {
    id: 'not-attached',
    wrong: `${name} is down`,
    why: 'no packet comes or leaves by it, and the routes by its networks are gone with it',
    evidence: `\`ip link show ${name}\`: it has addresses, and is not up`,
    mend: { command: `ip link set ${name} up`, isSafe: true },
  };
}

const why = 'it sees packets before ours does, and may keep or change them';

/** On a real server, where our program takes packets out of their tunnel. */
function beforeDecapsulator({ interfaces, clsact }: Ward['system']): readonly Problem[] {
  return interfaces
    .filter(({ name }) => clsact.includes(name))
    .filter(({ index }) =>
      listTc(index, 'ingress').some(({ programName = '' }) => programName.startsWith('realserver_tc')),
    )
    .flatMap(({ name, index }) => filtersBefore(name, index));
}

function filtersBefore(name: string, index: number): readonly Problem[] {
  const found = listTc(index, 'ingress').filter(
    ({ priority, programName = '' }) =>
      priority < 64 && !(ownPriorities.includes(priority) && ownNames.test(programName)),
  );
  // Of one preference there may be several, which one command takes away.
  const byPriority = new Map(found.map((filter) => [filter.priority, filter] as const).toReversed());
  return [...byPriority.values()].toReversed().map(
    ({ priority, kind, programName }): Problem => ({
      id: 'foreign-program',
      wrong: `somebody else's filter is before ours on ${name}`,
      why,
      evidence: `\`tc filter show dev ${name} ingress\`: pref ${priority} ${kind} ${programName ?? ''}`.trim(),
      mend: { command: `tc filter del dev ${name} ingress pref ${priority}`, isSafe: false },
    }),
  );
}

function others(name: string, index: number, hasOurXdp: boolean, { interfaces }: Ward['system']): readonly Problem[] {
  const filters = filtersBefore(name, index);
  const xdp = interfaces.find((one) => one.index === index)?.xdpProgram;
  if (hasOurXdp || xdp === undefined || xdp === 0) return filters;
  return [
    ...filters,
    {
      id: 'foreign-program',
      wrong: `somebody else's XDP program is on ${name}`,
      why,
      evidence: `\`ip link show ${name}\`: prog/xdp id ${xdp}`,
      // Which of the two places it is in one has to ask for.
      mend: { command: `ip link set dev ${name} xdp off && ip link set dev ${name} xdpgeneric off`, isSafe: false },
    },
  ];
}
