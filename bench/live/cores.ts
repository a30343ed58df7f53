// Several cores at once, each by a process that is pinned to it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { places } from '../packet/scene.ts';
import type { Shot, Task } from './worker.ts';

const worker = fileURLToPath(new URL('worker.js', import.meta.url));
const limitS = 300;

export interface Volley extends Pick<Shot, 'who' | 'flows'> {
  /** Million frames that arrived, a second of each core's CPU time: others use the machine too. */
  readonly mpps: number;
  /** Of those sent. */
  readonly share: number;
}

/** Of all cores together, in the order in which they were sent. In the calling thread's network namespace. */
export function shootOn(cores: number, task: Omit<Task, 'core' | 'cores' | 'folder' | 'client'>): readonly Volley[] {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  try {
    const lines = Array.from({ length: cores }, (_, core) => {
      const own: Task = { ...task, core, cores, folder, client: clientsOf(core) };
      writeFileSync(join(folder, `task-${core}`), JSON.stringify(own));
      const out = join(folder, `shots-${core}`);
      return `timeout ${limitS} taskset -c ${core} ${process.execPath} ${worker} "$(cat ${folder}/task-${core})" >${out} & pids="$pids $!"`;
    });
    const wait = 'for pid in $pids; do wait $pid || exit 1; done';
    execFileSync('sh', ['-ec', [...lines, wait].join('\n')], { stdio: ['ignore', 'ignore', 'inherit'] });
    const shots = Array.from({ length: cores }, (_, core) => readShots(join(folder, `shots-${core}`)));
    return (shots[0] ?? []).map(({ arrived, who, flows }, index) => {
      const share = arrived / (task.frames * cores);
      const rates = shots.map((of) => (task.frames * share * 1000) / (of[index]?.ns ?? Number.NaN));
      return { who, flows, share, mpps: rates.reduce((sum, rate) => sum + rate, 0) };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readShots(path: string): readonly Shot[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Shot);
}

/** A card's receive queues give each core clients of its own: 65,536 each. */
function clientsOf(core: number): string {
  const [first, second = '0', ...rest] = places[4].clients.split('.');
  return [first, Number(second) + core, ...rest].join('.');
}
