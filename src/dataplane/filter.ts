// Our filters at TC: their place on an interface, and the pinned programs that they run.
import { join } from 'node:path';
import { BpfProgram } from '../kernel/program.ts';
import type { TcPoint, TcSlot } from '../kernel/tc.ts';
import { FairleadError } from '../model/error.ts';
import type { Maps } from './maps.ts';

const priority = 64;
/** "fairlead", as far as hexadecimal digits spell it. */
const handle = 0xfa1ead;

export function slotOf(ifindex: number, point: TcPoint): TcSlot {
  return { ifindex, point, priority, handle };
}

export function openProgram(maps: Maps, name: string): BpfProgram {
  const program = BpfProgram.openPinned(join(maps.directory, name));
  if (program === undefined) throw new FairleadError('not-attached', `${maps.directory}: program ${name} is missing`);
  return program;
}
