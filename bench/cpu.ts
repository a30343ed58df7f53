// CPU time that others take, as the kernel accounts it.
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Of programs that run, of those that ended and were waited for, and of the kernel's threads for what packets cost when nobody
 * else has the CPU: not the machine's, which others use too.
 */
export function cpuUs(pids: readonly (number | undefined)[]): number {
  const running = pids.flatMap((pid) => (pid === undefined ? [] : familyOf(pid)));
  return running.reduce((sum, pid) => sum + runtimeUs(pid), 0) + softirqUs() + endedUs();
}

/** Of the kernel's threads for what interrupts leave to do: of one core's, or of all. */
export function softirqUs(core?: number): number {
  const isWanted = (name: string): boolean =>
    core === undefined ? name.startsWith('ksoftirqd/') : name === `ksoftirqd/${core}`;
  const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isWanted(nameOf(pid)));
  return pids.reduce((sum, pid) => sum + runtimeUs(Number(pid)), 0);
}

/** A program and those that it started. */
function familyOf(pid: number): number[] {
  const started = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...started.flatMap(familyOf)];
}

function runtimeUs(pid: number): number {
  const tasks = readTasks(pid);
  return tasks.reduce((sum, task) => sum + Number(read(`/proc/${pid}/task/${task}/schedstat`).split(' ')[0]) / 1000, 0);
}

function readTasks(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has just ended
  }
}

const ticksPerSecond = 100;

/** cutime and cstime of proc_pid_stat(5). */
function endedUs(): number {
  const fields = read('/proc/self/stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return ((Number(fields[13]) + Number(fields[14])) / ticksPerSecond) * 1e6;
}

function nameOf(pid: string): string {
  return read(`/proc/${pid}/comm`).trim();
}

/** Empty for a process that has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
