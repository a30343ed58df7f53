// How long a daemon takes with a large configuration, and how much memory: applied from empty, changed in one line, read by Prometheus.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect } from '../../src/api/client.ts';
import { Child } from '../../src/lab/child.ts';
import { run } from '../../src/lab/command.ts';
import { testNamespace } from '../kernel/namespace.ts';
import { root } from '../root.ts';
import { type Size, serviceLine, serviceLines, toConfiguration } from './configuration.ts';

const fairlead = join(root, 'bin/fairlead');
/** Of each, for a machine does other things as well; the median counts. */
const changes = 9;
/** What a change needed for a moment is given back by then. */
const restMs = 4000;

export interface ScaleResult extends Size {
  /** `fairlead check`: the file is read, and nothing else done. */
  readonly checkMs: number;
  /** A daemon starts with the file where nothing is: until it is installed, programs and all. */
  readonly fromEmptyMs: number;
  /** A weight in the file is another, and the daemon is told: until the kernel has it, and the answer is there. */
  readonly changeMs: number;
  /** The same by `fairlead apply`, a command that starts, reads the file and hands it over. */
  readonly commandMs: number;
  readonly scrapeMs: number;
  readonly scrapeBytes: number;
  /** Of the daemon after its changes, and after it was scraped: resident. */
  readonly memoryMb: number;
  readonly memoryAfterScrapeMb: number;
  /** A daemon that starts with the file, where all is installed already. */
  readonly restartMs: number;
}

export async function measureScale(size: Size, say: (text: string) => void): Promise<ScaleResult> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-scale-'));
  using namespace = testNamespace();
  const file = join(folder, 'large.yaml');
  const socket = join(folder, 'api.sock');
  const more = `api: {socket: ${socket}}\nmetrics: {listen: 127.0.0.1:9150, destinations: ${size.destinations}}\n`;
  const lines = serviceLines(size);
  const write = (some: readonly string[]): void => writeFileSync(file, toConfiguration(some, more));
  const client: Client = connect({ socket });
  const inside = (...words: readonly string[]): Promise<unknown> =>
    run([fairlead, ...words], { namespace: namespace.name, timeoutMs: 120_000 });
  let failed: (error: Error) => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    failed = reject;
  });
  const start = async (): Promise<Child> => {
    const words = ['setpriv', '--pdeathsig', 'KILL', fairlead, 'run', '-c', file];
    const child = new Child(words, { namespace: namespace.name, title: 'the daemon', onLost: failed });
    await Promise.race([child.saying('the daemon runs', 'stdout', AbortSignal.timeout(120_000)), lost]);
    return child;
  };
  let daemon: Child | undefined;
  try {
    namespace.ip('link', 'set', 'lo', 'up');
    write(lines);
    say(`${size.services} services with ${size.destinations} destinations: ${statSync(file).size} bytes`);
    const checkMs = await timed(() => inside('check', file));
    const fromEmptyMs = await timed(async () => {
      daemon = await start();
    });
    const edit = (turn: number): void => {
      const index = Math.floor((size.services * turn) / (2 * changes));
      lines[index] = serviceLine(index, size.destinations / size.services, 2 + turn);
      write(lines);
    };
    const changeMs = await median(edit, 0, () => client.reload());
    const commandMs = await median(edit, changes, () => inside('apply', file));
    await delay(restMs);
    const memoryMb = residentMb(namespace.output('ip', 'netns', 'pids', namespace.name));
    let scrapeBytes = 0;
    const scrapeMs = await timed(async () => {
      scrapeBytes = (await client.metrics()).length;
    });
    await delay(restMs);
    const memoryAfterScrapeMb = residentMb(namespace.output('ip', 'netns', 'pids', namespace.name));
    await daemon?.[Symbol.asyncDispose]();
    const restartMs = await timed(async () => {
      daemon = await start();
    });
    const measured = { checkMs, fromEmptyMs, changeMs, commandMs, scrapeMs, restartMs };
    return {
      ...size,
      ...(Object.fromEntries(Object.entries(measured).map(([name, ms]) => [name, Math.round(ms)])) as typeof measured),
      ...{ scrapeBytes, memoryMb, memoryAfterScrapeMb },
    };
  } finally {
    await daemon?.[Symbol.asyncDispose]();
    await inside('detach');
    rmSync(folder, { recursive: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function median(edit: (turn: number) => void, first: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let turn = first; turn < first + changes; turn++) {
    edit(turn);
    times.push(await timed(work));
  }
  return times.sort((a, b) => a - b)[Math.floor(changes / 2)] ?? 0;
}

/** Of the daemon among these processes. */
function residentMb(pids: string): number {
  const isDaemon = (pid: string): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0run\0');
  const daemon = pids.trim().split('\n').find(isDaemon) ?? 'self';
  const [, kb = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon}/status`, 'utf8')) ?? [];
  return Math.round(Number(kb) / 1024);
}
