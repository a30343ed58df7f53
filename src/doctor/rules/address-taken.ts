// Another machine that has an address of this one takes its packets away. VIPs of services by mark look like addresses of its own.
import type { Problem } from '../problem.ts';
import type { Taken } from '../taken.ts';
import { removeAddress, type Ward } from '../ward.ts';
import { toProblem as toAnswered } from './address-answered.ts';

export function addressTaken({ taken, director }: Ward): readonly Problem[] {
  const byMark = (director?.findings ?? []).filter(
    ({ service, destination: { method } }) =>
      service.identity.kind === 'mark' && (method === 'gate' || method === 'tunnel'),
  );
  return taken.map((one) => {
    const realServer = byMark.find(({ mac }) => mac === one.mac);
    return realServer === undefined ? toProblem(one) : toAnswered(one.address, { ...one, realServer });
  });
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
