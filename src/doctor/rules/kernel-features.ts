// What our programs need of the kernel, and a clock that is quick to read.
import { existsSync, readFileSync } from 'node:fs';
import type { Problem } from '../problem.ts';

const btf = '/sys/kernel/btf/vmlinux';
const clock = '/sys/devices/system/clocksource/clocksource0/';
/** Read by a device, each time for a microsecond or more. */
const slow = ['hpet', 'acpi_pm', 'jiffies', 'refined-jiffies'];

export function kernelFeatures(): readonly Problem[] {
  return [...withoutBtf(), ...slowClock()];
}

function withoutBtf(): readonly Problem[] {
  if (existsSync(btf)) return [];
  return [
    {
      id: 'kernel',
      wrong: 'the kernel does not describe its types (BTF)',
      why: 'our programs read fields of its structures by their names, and can not be loaded without',
      evidence: `${btf} is missing`,
      mend: { command: 'apt-get install linux-image-amd64 && reboot', isSafe: false },
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
