// The kernel's own connection tracking, which packets to a real server's sockets pass: full, it drops what is new.
import { existsSync, statSync } from 'node:fs';
import { readSysctl } from '../../kernel/sysctl.ts';
import { machineItself, type Problem } from '../problem.ts';

const nearly = 0.95;
const folder = 'net/netfilter/nf_conntrack_';

export function conntrack(): readonly Problem[] {
  if (!existsSync(`/proc/sys/${folder}count`)) return [];
  const [count, most] = [Number(readSysctl(`${folder}count`)), Number(readSysctl(`${folder}max`))];
  if (most === 0 || count < most * nearly) return [];
  return [
    {
      id: 'conntrack-full',
      wrong: "the kernel's connection tracking is nearly full",
      why: 'when it is, new connections to this machine are dropped (nf_conntrack: table full)',
      evidence: `net.netfilter.nf_conntrack_count is ${count} of ${most}`,
      mend: raise(2 * most),
    },
  ];
}

/** Each network namespace counts its own, but the limit is the whole machine's: only its first namespace may set it. */
function raise(most: number): Problem['mend'] {
  const command = `sysctl -w net.netfilter.nf_conntrack_max=${most}`;
  return isWritable(`/proc/sys/${folder}max`)
    ? { command, isSafe: true }
    : { command, on: machineItself, isSafe: false };
}

/** By its mode: to root everything else is. */
function isWritable(path: string): boolean {
  return (statSync(path).mode & 0o200) !== 0;
}
