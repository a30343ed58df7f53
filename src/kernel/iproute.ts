// Changes by iproute2, which knows every attribute; lists are asked for by netlink.ts.
import { spawnSync } from 'node:child_process';
import { FairleadError } from '../model/error.ts';

/** Lines for `ip -batch`; the first that fails ends it. */
export function changeByIp(lines: readonly string[]): void {
  const { status, stderr, error } = spawnSync('ip', ['-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    // A plain `su` leaves out the folder that `ip` is in.
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  if (status === 0) return;
  throw new FairleadError('kernel', `ip: ${error?.message ?? stderr.trim()} (in: ${lines.join('; ')})`, {
    ...(error && { cause: error, hint: 'install it: apt-get install iproute2' }),
  });
}
