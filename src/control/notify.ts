// Programs that are told what happened.
import { spawn } from 'node:child_process';
import type { Log } from './log.ts';

export interface Event {
  readonly event: 'up' | 'down' | 'quorum-up' | 'quorum-down';
  readonly service: string;
  readonly destination?: string;
  readonly reason?: string;
}

/** It runs on by itself; that it fails is logged. */
export function notify(command: readonly string[] | undefined, event: Event, log: Log): void {
  const [program, ...rest] = command ?? [];
  if (program === undefined) return;
  const told = Object.entries(event).map(([name, value]) => [`FAIRLEAD_${name.toUpperCase()}`, value]);
  const child = spawn(program, rest, {
    stdio: 'ignore',
    detached: true,
    env: { PATH: process.env.PATH, ...Object.fromEntries(told) },
  });
  child.on('error', (error) => log.warn({ program, err: error }, "a notify program can't be run"));
  child.on('exit', (status, signal) => {
    if (status !== 0) log.warn({ program, status, signal }, 'a notify program failed');
  });
  child.unref();
}
