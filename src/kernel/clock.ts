// How long the kernel's jiffies are, and how maps keep them; a BPF program has to read them: user space can't.
import { readFileSync } from 'node:fs';
import { clockResolution } from './libc.ts';

const CLOCK_MONOTONIC_COARSE = 6;
let hz: number | undefined;

/** CONFIG_HZ: the coarse clocks advance once a jiffy, and tell so as their resolution. */
export function jiffiesPerSecond(): number {
  hz ??= Math.round(1e9 / clockResolution(CLOCK_MONOTONIC_COARSE));
  return hz;
}

/** The low 32 bits, as maps keep them. */
export function lowJiffies(jiffies: bigint): number {
  return Number(BigInt.asUintN(32, jiffies));
}

/** CLOCK_BOOTTIME. */
export function bootSeconds(): number {
  return Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));
}
