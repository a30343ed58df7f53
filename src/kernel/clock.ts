// The kernel's jiffies, which user space can't read, and their length.
import type { BpfProgram } from './program.ts';
import { clockResolution } from './libc.ts';

const CLOCK_MONOTONIC_COARSE = 6;
let hz: number | undefined;

/** CONFIG_HZ: the coarse clocks advance once a jiffy, and tell so as their resolution. */
export function jiffiesPerSecond(): number {
  hz ??= Math.round(1e9 / clockResolution(CLOCK_MONOTONIC_COARSE));
  return hz;
}

/** Runs a SEC("syscall") program which writes bpf_jiffies64() into its context, one u64. */
export function readJiffies(program: BpfProgram): bigint {
  return program.testRun({ context: Buffer.alloc(8) }).context.readBigUInt64LE();
}

/** The low 32 bits, as maps keep them. */
export function lowJiffies(jiffies: bigint): number {
  return Number(BigInt.asUintN(32, jiffies));
}

/** Seconds from `then` to `now`, both the low 32 bits of jiffies; negative when `then` is ahead. */
export function secondsBetween(then: number, now: number): number {
  return ((now - then) | 0) / jiffiesPerSecond();
}
