// What our programs need of the kernel: its types, its compiler, and a clock that is quick to read and not read in vain.
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { readSysctl } from '../../kernel/sysctl.ts';
import type { Problem } from '../problem.ts';

const btf = '/sys/kernel/btf/vmlinux';
const clock = '/sys/devices/system/clocksource/clocksource0/';
/** Read by a device, each time for a microsecond or more. */
const slow = ['hpet', 'acpi_pm', 'jiffies', 'refined-jiffies'];

const newerKernel: Problem['mend'] = { command: 'apt-get install linux-image-amd64 && reboot', isSafe: false };

/** Major and minor: Debian 12's, the oldest that all of it is tried with. */
const oldest: readonly [number, number] = [6, 1];

export function kernelFeatures(): readonly Problem[] {
  return [...tooOld(release()), ...withoutBtf(), ...interpreted(), ...slowClock(), ...timed()];
}

/** By its release, as `uname -r` prints it. */
export function tooOld(running: string): readonly Problem[] {
  const [major = 0, minor = 0] = running.split('.').map((part) => Number.parseInt(part, 10));
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return [];
  return [
    {
      id: 'kernel',
      wrong: `the kernel is older than ${oldest.join('.')}`,
      why: 'our programs call functions that it may not have, and are not tried with it',
      evidence: `\`uname -r\`: ${running}`,
      mend: newerKernel,
    },
  ];
}

function withoutBtf(): readonly Problem[] {
  if (existsSync(btf)) return [];
  return [
    {
      id: 'kernel',
      wrong: 'the kernel does not describe its types (BTF)',
      why: 'our programs read fields of its structures by their names, and can not be loaded without',
      evidence: `${btf} is missing`,
      mend: newerKernel,
    },
  ];
}

/** The machine's first network namespace has the setting; kernels that can't do without the compiler don't take 0. */
function interpreted(): readonly Problem[] {
  if (!existsSync('/proc/sys/net/core/bpf_jit_enable') || readSysctl('net.core.bpf_jit_enable') !== '0') return [];
  return [
    {
      id: 'kernel',
      wrong: 'the kernel does not compile eBPF programs',
      why: 'its interpreter takes many times as long for each packet, and does not take all that ours are made of',
      evidence: 'net.core.bpf_jit_enable is 0',
      mend: { command: 'sysctl -w net.core.bpf_jit_enable=1', isSafe: true },
    },
  ];
}

function slowClock(): readonly Problem[] {
  if (!existsSync(`${clock}current_clocksource`)) return [];
  const read = (name: string): string => readFileSync(clock + name, 'utf8').trim();
  const current = read('current_clocksource');
  const better = read('available_clocksource')
    .split(' ')
    .find((name) => !slow.includes(name));
  if (!slow.includes(current) || better === undefined) return [];
  return [
    {
      id: 'kernel',
      wrong: `the kernel reads its time from ${current}`,
      why: 'each reading takes a microsecond or more, on every CPU in turn',
      evidence: `${clock}current_clocksource; ${better} is there as well`,
      mend: { command: `echo ${better} > ${clock}current_clocksource`, isSafe: true },
    },
  ];
}

/** As profilers set it, and leave it when they are killed. It is the machine's, whatever the network namespace. */
function timed(): readonly Problem[] {
  const setting = 'kernel.bpf_stats_enabled';
  if (!existsSync('/proc/sys/kernel/bpf_stats_enabled') || readSysctl(setting) === '0') return [];
  return [
    {
      id: 'kernel',
      wrong: 'the kernel takes the time of every run of an eBPF program',
      why: 'it reads its clock twice for each packet, which may take as long as the packet itself',
      evidence: `${setting} is 1`,
      mend: { command: `sysctl -w ${setting}=0`, isSafe: true },
    },
  ];
}
