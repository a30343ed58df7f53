// The machine that figures were measured on, as far as it decides what they are.
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** As `uname -r` says it. */
  readonly kernel: string;
  /** By vulnerability, what the kernel does about it and what that costs packets: those that it is not affected by are left out. */
  readonly mitigations: Readonly<Record<string, string>>;
  readonly node: string;
  /** Before the first measurement: others use the machine too. */
  readonly load: number;
}

const vulnerabilities = '/sys/devices/system/cpu/vulnerabilities';

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    mitigations: Object.fromEntries(readMitigations()),
    node: process.versions.node,
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

function readMitigations(): readonly (readonly [string, string])[] {
  return readdirSync(vulnerabilities)
    .map((name) => [name, readFileSync(join(vulnerabilities, name), 'utf8').trim()] as const)
    .filter(([, state]) => state !== 'Not affected');
}

/** In one line, for a chart. */
export function formatMachine({ cpu, cores, kernel, mitigations }: Machine): string {
  const returns = mitigations.spec_rstack_overflow ?? 'not affected';
  return `${cpu}, ${cores} cores, Linux ${kernel}; return stack overflow: ${returns}`;
}
