// Tables that are nearly full: what comes next is refused, or scheduled without an entry.
import type { Fill } from '../../dataplane/status.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

const nearly = 0.9;

export function fullTables({ director }: Ward): readonly Problem[] {
  if (director === undefined) return [];
  const { connections, services, destinations, markRules } = director.status;
  return Object.entries({ connections, services, destinations, 'mark rules': markRules }).flatMap(([name, fill]) =>
    isNearlyFull(fill) ? [toProblem(name, fill)] : [],
  );
}

function isNearlyFull({ used, size }: Fill): boolean {
  return used >= size * nearly;
}

function toProblem(name: string, { used, size }: Fill): Problem {
  const grow = `f=$(mktemp) && ipvsadm-save -n > $f && fairlead detach && fairlead attach --connections ${2 * size} && ipvsadm-restore < $f`;
  return {
    id: 'table-full',
    wrong: `the table of ${name} is nearly full`,
    why:
      name === 'connections'
        ? 'when it is, masq and fullnat drop new connections, and gate and tunnel schedule them without remembering'
        : 'when it is, the next one is refused',
    evidence: `${used} of ${size}`,
    // All connections end by it.
    mend: { command: name === 'connections' ? grow : 'fairlead status', isSafe: false },
  };
}
