// Removes laboratories: the one that was kept, and what is left of those whose process is gone.
import { readFileSync } from 'node:fs';
import { run } from './command.ts';
import { detach, resetRealServer } from './director.ts';
import { type LabNamespace, parseNamespace } from './names.ts';
import { listNamespaces, removeNamespaces } from './topology.ts';

/** Returns the namespaces it removed. */
export async function removeKept(): Promise<string[]> {
  return removeLabs(await findLabs(({ pid }) => pid === undefined || !isAlive(pid)));
}

/** A laboratory that was killed could not clean up; the next one does. */
export async function removeStale(): Promise<string[]> {
  return removeLabs(await findLabs(({ pid }) => pid !== undefined && !isAlive(pid)));
}

export async function findKept(): Promise<LabNamespace[]> {
  return findLabs(({ pid }) => pid === undefined);
}

async function findLabs(matches: (lab: LabNamespace) => boolean): Promise<LabNamespace[]> {
  return (await listNamespaces()).flatMap((name) => parseNamespace(name) ?? []).filter(matches);
}

async function removeLabs(labs: readonly LabNamespace[]): Promise<string[]> {
  const namespaces = labs.map(({ namespace }) => namespace);
  // One that is broken beyond answering must go all the same.
  await Promise.allSettled(labs.filter(({ host }) => host === 'director').map(({ namespace }) => detach(namespace)));
  await Promise.allSettled(
    labs.filter(({ host }) => host.startsWith('rs')).map(({ namespace }) => resetRealServer(namespace)),
  );
  for (const namespace of namespaces) await endServers(namespace);
  await removeNamespaces(namespaces);
  return namespaces;
}

/** Only the laboratory's own servers: a shell that someone opened in the namespace is theirs. */
async function endServers(namespace: string): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'pids', namespace]);
  for (const text of stdout.split('\n').filter(Boolean)) {
    const pid = Number(text);
    if (isLabServer(pid)) process.kill(pid, 'SIGTERM');
  }
}

function isLabServer(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/lab/serve.js\0');
  } catch {
    return false; // it has just ended
  }
}

/** A process that has ended but was not waited for is gone, too. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
