// Waiting for a condition, and telling when it does not come.
import { setTimeout as pause } from 'node:timers/promises';

const stepMs = 20;

export async function until(isSo: () => boolean, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`after ${withinMs} ms this was still not so: ${isSo}`);
    await pause(stepMs);
  }
}
