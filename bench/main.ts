// `npm run bench`: measures in a process of its own, for one that waits for programs hears no signal, and removes what that one leaves.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt } from '../src/lab/command.ts';
import { detach, resetRealServer } from '../src/lab/director.ts';
import { listNamespaces, removeNamespaces } from '../src/lab/topology.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  try {
    const script = fileURLToPath(new URL('measure.js', import.meta.url));
    const child = spawn(process.execPath, [script, ...args], {
      stdio: 'inherit',
      env: { ...process.env, TMPDIR: folder },
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    if (status !== 0) await removeLeft(`fairlead-bench-${child.pid}-`);
    return status ?? 128 + constants.signals[signal ?? 'SIGTERM'];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Namespaces whose names begin so, with what runs in them and what is pinned for them. */
async function removeLeft(prefix: string): Promise<void> {
  const names = (await listNamespaces()).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    await attempt(['sh', '-c', `kill -KILL $(ip netns pids ${name})`]);
    await detach(name);
    await resetRealServer(name);
  }
  await removeNamespaces(names);
}
