// Where scenarios run: on the kernel's IPVS in the emulated machine, on Fairlead in namespaces here, and on Fairlead there.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../root.ts';
import { type Image, openImage } from '../vm/image.ts';
import { installPackages, ipvsModules, ipvsPackages } from '../vm/ipvs.ts';
import { runInMachine } from '../vm/machine.ts';
import type { Scenario } from './scenario.ts';

/** By the scenario's name: what it printed. */
export type Transcripts = ReadonlyMap<string, string>;

type Director = 'ipvs' | 'fairlead';

const environment = {
  PATH: `${join(root, 'bin')}:${process.env.PATH}`,
  LC_ALL: 'C.UTF-8',
  FAIRLEAD_CONNECTIONS: '16384',
};
const runner = join(root, 'test/conformance/scenario.sh');
/** No scenario takes as long, not even emulated on a busy machine; nor with Fairlead there, which runs on Node. */
const LIMIT_S = { ipvs: 300, fairlead: 900 } as const;
/** On Fairlead's side at a time; the emulated machine has one CPU. */
const workers = 2;

/** What the machine does before the scenarios, as a shell says it. */
type Preparation = (image: Image) => string;

const useFairlead: Preparation = () =>
  Object.entries(environment)
    .map(([name, value]) => `export ${name}=${value}`)
    .join('\n');

export function runOnIpvs(scenarios: readonly Scenario[], say: (text: string) => void): Promise<Transcripts> {
  return runInImage('ipvs', scenarios, installPackages, say);
}

/** With the kernel that IPVS's transcripts come from. */
export function runOnFairleadThere(scenarios: readonly Scenario[], say: (text: string) => void): Promise<Transcripts> {
  return runInImage('fairlead', scenarios, useFairlead, say);
}

async function runInImage(
  director: Director,
  scenarios: readonly Scenario[],
  prepare: Preparation,
  say: (text: string) => void,
): Promise<Transcripts> {
  if (scenarios.length === 0) return new Map();
  using place = openPlace(scenarios);
  const image = openImage({ modules: ipvsModules, packages: ipvsPackages });
  say(`the emulated machine runs Linux ${image.release}`);
  const script = `
    ${prepare(image)}
    for scenario in /mnt/scenarios/*; do
      ${commandLine(director, place.peers, '"$scenario"', `"/mnt/transcripts/\${scenario##*/}"`)}
    done`;
  const timeoutMs = (60 + LIMIT_S[director] * scenarios.length) * 1000;
  const { stderr } = await runInMachine(image, script, { exchange: place.folder, timeoutMs, memoryMb: 1536 });
  if (stderr !== '') say(`the emulated machine says: ${stderr}`);
  return place.read(scenarios);
}

export async function runOnFairlead(scenarios: readonly Scenario[], say: (text: string) => void): Promise<Transcripts> {
  using place = openPlace(scenarios);
  const waiting = [...scenarios.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, { name }] = next;
      say(name);
      const command = commandLine('fairlead', place.peers, place.scenario(index), place.transcript(index));
      await runShell(command, { ...process.env, ...environment });
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return place.read(scenarios);
}

function runShell(command: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const shell = spawn('bash', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'], env, cwd: root });
    shell.on('error', reject);
    shell.on('close', () => resolve());
  });
}

/** For a shell: a scenario in network and mount namespaces of its own. */
function commandLine(director: Director, peers: string, scenario: string, transcript: string): string {
  const start = `setpriv --pdeathsig TERM timeout -k 2 ${LIMIT_S[director]} unshare --mount --net bash ${runner} ${director} ${peers} ${scenario}`;
  return `${start} >${transcript} 2>&1 || echo "ended with status $?" >>${transcript}`;
}

interface Place extends Disposable {
  readonly folder: string;
  readonly peers: string;
  scenario(index: number): string;
  transcript(index: number): string;
  read(scenarios: readonly Scenario[]): Transcripts;
}

/** A folder with what a run needs; the machine sees it too. */
function openPlace(scenarios: readonly Scenario[]): Place {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-conformance-'));
  const pathIn = (kind: string, index: number): string => join(folder, kind, String(index).padStart(4, '0'));
  const place: Place = {
    folder,
    peers: join(folder, 'peers'),
    scenario: (index) => pathIn('scenarios', index),
    transcript: (index) => pathIn('transcripts', index),
    read: (wanted) => new Map(wanted.map(({ name }, index) => [name, readIfThere(place.transcript(index))])),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  for (const name of ['scenarios', 'transcripts']) mkdirSync(join(folder, name));
  for (const [index, { text }] of scenarios.entries()) writeFileSync(place.scenario(index), text);
  compilePeers(place.peers);
  return place;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '(did not run)\n';
}

/** Linked statically: what starts often starts fast, and the machine may have another C library. */
function compilePeers(target: string): void {
  const folder = join(root, 'test/conformance/peers');
  const sources = readdirSync(folder).filter((name) => name.endsWith('.c'));
  const words = ['-O1', '-Wall', '-Werror', '-static', '-D_GNU_SOURCE', ...sources, '-o', target];
  for (const compiler of ['clang-16', 'clang', 'cc']) {
    const { status, stderr, error } = spawnSync(compiler, words, { cwd: folder, encoding: 'utf8' });
    if (status === 0) return;
    if (error === undefined) throw new Error(stderr);
  }
  throw new Error('expected a C compiler to be installed');
}
