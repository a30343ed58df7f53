// Runs the commands that list and change what netlink and arptables know.
import { execFileSync } from 'node:child_process';
import { FairleadError } from '../model/error.ts';

let lockFd: number | undefined;

/** Commands keep this lock as long as they run: one that outlives us, when we are killed, is still changing something. */
export function lendLock(fd: number | undefined): void {
  lockFd = fd;
}

/** Returns what it printed. A command that fails is an error that quotes it. */
export function run([program = '', ...words]: readonly string[]): string {
  // A plain `su` leaves out the folder that `tc` is in.
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };
  try {
    const lent = lockFd === undefined ? [] : [lockFd];
    return execFileSync(program, words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe', ...lent] });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new FairleadError('not-supported', `the command ${program} is missing`, {
        cause,
        hint: `install it: apt-get install ${program.startsWith('arptables') ? 'arptables' : 'iproute2'}`,
      });
    const said = String((cause as { stderr?: string }).stderr ?? '').trim() || String(cause);
    throw new FairleadError('kernel', `\`${[program, ...words].join(' ')}\` failed: ${said}`, { cause });
  }
}
