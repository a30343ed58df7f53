// What does a program of the operator's say?
import { spawn } from 'node:child_process';
import { formatAddress } from '../../model/address.ts';
import type { ExecChecker } from '../../model/check.ts';
import { abortion } from '../reason.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

const mostCharacters = 200;
/** Statuses from here on are weights. */
const firstWeight = 2;

export function checkExec(
  target: Target,
  { command, setsWeight, user }: ExecChecker,
  signal: AbortSignal,
): Promise<Finding> {
  return new Promise((resolve) => {
    const [program = '', ...rest] = asUser(command, user);
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: environment(target),
    });
    let said = '';
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(finding);
    };
    const onAbort = (): void => {
      endGroup(child.pid);
      settle(down(abortion(signal)));
    };
    signal.addEventListener('abort', onAbort);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(0, mostCharacters);
      });
    }
    child.on('error', (error) => settle(down(`it can't be run: ${error.message}`)));
    // Not `close`: what it leaves running may hold its output open.
    child.on('exit', (status, by) => {
      endGroup(child.pid);
      for (const stream of [child.stdout, child.stderr]) stream.destroy();
      settle(by === null ? judge(status ?? 1, setsWeight, said) : down(`it was ended by ${by}`));
    });
  });
}

/** setpriv, of util-linux: groups and all, which Node's own uid leaves as they are. */
function asUser(command: readonly string[], user: string | undefined): readonly string[] {
  return user === undefined ? command : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', ...command];
}

function judge(status: number, setsWeight: boolean, said: string): Finding {
  const line = said.trim().split('\n', 1)[0] ?? '';
  const reason = `status ${status}${line === '' ? '' : `: ${line}`}`;
  if (status === 0) return up(reason);
  return setsWeight && status >= firstWeight ? up(reason, { value: status - firstWeight }) : down(reason);
}

function environment({ address, port, rip, vip, vport }: Target): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    FAIRLEAD_ADDRESS: formatAddress(address),
    FAIRLEAD_PORT: String(port),
    FAIRLEAD_RIP: formatAddress(rip),
    ...(vip !== undefined && { FAIRLEAD_VIP: formatAddress(vip) }),
    ...(vport !== undefined && { FAIRLEAD_VPORT: String(vport) }),
  };
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}
