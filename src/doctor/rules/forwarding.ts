// Without lo's forwarding no way to a new client or real server can be looked up.
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

export function forwarding({ director }: Ward): readonly Problem[] {
  return (director?.status.missingForwarding ?? []).map((setting) => ({
    id: 'forwarding-off',
    wrong: `${setting} is 0`,
    why: 'every method: packets look their way up as if they came from lo, and the kernel answers only where that forwards',
    evidence: `somebody has written net.ipv4.ip_forward or net.ipv6.conf.all.forwarding, which sets it too; ${director?.status.reasons['forwarding-off'] ?? 0} packets were dropped for it`,
    mend: { command: `sysctl -w ${setting}=1`, isSafe: true },
  }));
}
