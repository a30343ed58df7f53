// What this network namespace's stack has counted: /proc/net/netstat.
import { readFileSync } from 'node:fs';

/** 0 where the kernel has no such counter. */
export function readCounter(group: string, name: string): number {
  const [names = [], values = []] = readFileSync('/proc/self/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf(name)] ?? 0);
}
