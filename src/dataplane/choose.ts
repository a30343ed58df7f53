// Which interfaces packets are taken from, and at which hook.
import type { Interface } from '../kernel/interfaces.ts';
import { FairleadError } from '../model/error.ts';

/** auto: TC everywhere, and XDP before it where the driver has it itself. */
export const hooks = ['auto', 'xdp', 'tc'] as const;
export type Hook = (typeof hooks)[number];

/** Ours, and its other end with a 1 behind: what health checks leave by (probe-paths.ts). No packets are taken from it. */
export const probeInterface = 'fairlead-probe';

type Candidate = Pick<Interface, 'index' | 'name' | 'kind' | 'linkType' | 'master'>;

/**
 * Those named, or all Ethernet ones, but for what another interface speaks for: a bridge's or a bond's port, and a VLAN,
 * whose packets its parent has with their tags.
 */
export function chooseInterfaces<One extends Candidate>(
  all: readonly One[],
  names?: readonly string[],
): readonly One[] {
  if (names !== undefined) return [...new Set(names)].map((name) => requireInterface(all, name));
  const kinds = new Map(all.map(({ index, kind }) => [index, kind]));
  const isPort = ({ master }: One): boolean =>
    master !== undefined && ['bridge', 'bond', 'team'].includes(kinds.get(master) ?? '');
  return all.filter(
    (one) => one.linkType === 'ether' && one.kind !== 'vlan' && !isPort(one) && !one.name.startsWith(probeInterface),
  );
}

function requireInterface<One extends Candidate>(all: readonly One[], name: string): One {
  const found = all.find((one) => one.name === name);
  if (found === undefined) {
    throw new FairleadError('interface-missing', `there is no interface ${name} in this network namespace`);
  }
  if (found.linkType !== 'ether') {
    throw new FairleadError('not-supported', `${name} is no Ethernet interface: its type is ${found.linkType}`);
  }
  return found;
}
