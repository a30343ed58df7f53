// Another machine that has an address of this one, which is no VIP, takes its packets away.
import type { Problem } from '../problem.ts';
import type { Taken } from '../taken.ts';
import { removeAddress, type Ward } from '../ward.ts';

export function addressTaken({ taken }: Ward): readonly Problem[] {
  return taken.map(toProblem);
}

function toProblem({ address, interface: name, mac }: Taken): Problem {
  return {
    id: 'address-taken',
    wrong: `another machine has this machine's own address ${address}: ${mac} on ${name}`,
    why: 'what is for it goes to whoever answered last: answers of real servers, sessions, tunnels',
    evidence: `asked on ${name} who has ${address}, ${mac} answered`,
    mend: { command: removeAddress(address), on: `the machine with the MAC ${mac}`, isSafe: false },
  };
}
