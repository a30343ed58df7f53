// What fails for want of memory only for a moment: BPF's allocators must not wait, and are refilled in the background.
import { ENOMEM } from './errno.ts';

const tries = 50;
const pauseMs = 2;

/** `work` gives a result >= 0 or -errno. -ENOMEM is believed when it is still said after about 100 ms. */
export function untilMemory(work: () => number): number {
  let result = work();
  for (let attempt = 1; attempt < tries && result === -ENOMEM; attempt++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    result = work();
  }
  return result;
}
