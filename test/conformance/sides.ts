// Where scenarios run: on the kernel's IPVS in the emulated machine, on Fairlead here, and on Fairlead in that machine.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openImage } from '../vm/image.ts';
import { runInMachine } from '../vm/machine.ts';

export interface Scenario {
  readonly name: string;
  /** What test/conformance/scenario.sh runs. */
  readonly text: string;
}

/** By the scenario's name: what it printed. */
export type Transcripts = ReadonlyMap<string, string>;

const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '').replace(/\/build$/, '');
const runner = join(root, 'test/conformance/scenario.sh');
const SECONDS = 90;

/** IPVS with all that it can use, and what marks packets. ip_vs_twos is not in every kernel. */
const MODULES = [
  'crc32c_generic', // libcrc32c asks for it by name
  ...['ip_vs', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_lc', 'ip_vs_wlc', 'ip_vs_lblc', 'ip_vs_lblcr', 'ip_vs_dh', 'ip_vs_sh'],
  ...['ip_vs_sed', 'ip_vs_nq', 'ip_vs_fo', 'ip_vs_ovf', 'ip_vs_mh', 'ip_vs_twos', 'ip_vs_ftp', 'ip_vs_pe_sip'],
  ...['ipip', 'ip_gre', 'fou', 'fou6', 'ip6_tunnel', 'dummy', 'act_skbedit', 'cls_flower', 'sctp'],
];
const PACKAGES = ['ipvsadm', 'libnl-3-200', 'libnl-genl-3-200', 'libpopt0'];

export async function runOnIpvs(scenarios: readonly Scenario[]): Promise<Transcripts> {
  using place = openPlace(scenarios);
  const image = openImage({ modules: MODULES, packages: PACKAGES });
  // Only the machine's own copy-on-write view of the host gets these.
  const install = [
    `cd ${image.packages}`,
    'for folder in sbin usr/sbin; do [ ! -d $folder ] || cp $folder/* /usr/sbin/; done',
    'for folder in lib usr/lib; do [ ! -d $folder ] || cp -a $folder/. /usr/lib/; done',
    `cd ${root}`,
  ];
  await runThere(place, 'ipvs', [...install, ''].join('\n'), image, scenarios);
  return place.read(scenarios);
}

async function runThere(place: Place, director: string, first: string, image: ReturnType<typeof openImage>, scenarios: readonly Scenario[]): Promise<void> {
  const script = `${first}
    for scenario in /mnt/scenarios/*; do
      ${commandLine(director, place.peers, '"$scenario"', '"/mnt/transcripts/\${scenario##*/}"')}
    done`;
  const { stderr } = await runInMachine(image, script, { exchange: place.folder, timeoutMs: (SECONDS + 30) * 1000 * Math.max(4, scenarios.length), memoryMb: 768 });
  if (stderr !== '') process.stderr.write(stderr);
}

function commandLine(director: string, peers: string, scenario: string, transcript: string): string {
  return `timeout -k 2 ${SECONDS} unshare --mount --net bash ${runner} ${director} ${peers} ${scenario} >${transcript} 2>&1 || echo "ended with status $?" >>${transcript}`;
}

export async function runOnFairlead(scenarios: readonly Scenario[], at: (name: string) => void): Promise<Transcripts> {
  using place = openPlace(scenarios);
  const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env.PATH}`, LC_ALL: 'C.UTF-8', FAIRLEAD_CONNECTIONS: '16384' };
  for (const [index, { name }] of scenarios.entries()) {
    at(name);
    const [scenario, transcript] = [place.scenario(index), place.transcript(index)];
    await new Promise((resolve, reject) => {
      const shell = spawn('bash', ['-c', commandLine('fairlead', place.peers, scenario, transcript)], { stdio: 'ignore', env, cwd: root });
      shell.on('error', reject);
      shell.on('close', resolve);
    });
  }
  return place.read(scenarios);
}

interface Place extends Disposable {
  readonly folder: string;
  readonly peers: string;
  scenario(index: number): string;
  transcript(index: number): string;
  read(scenarios: readonly Scenario[]): Transcripts;
}

/** A folder with what a run needs, seen by the machine too. */
function openPlace(scenarios: readonly Scenario[]): Place {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-conformance-'));
  for (const name of ['scenarios', 'transcripts']) mkdirSync(join(folder, name));
  const nameOf = (index: number): string => String(index).padStart(4, '0');
  const place: Place = {
    folder,
    peers: join(folder, 'peers'),
    scenario: (index) => join(folder, 'scenarios', nameOf(index)),
    transcript: (index) => join(folder, 'transcripts', nameOf(index)),
    read: (wanted) => new Map(wanted.map(({ name }, index) => [name, readIfThere(place.transcript(index))])),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  compilePeers(place.peers);
  for (const [index, { text }] of scenarios.entries()) writeFileSync(place.scenario(index), text);
  return place;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : 'did not run\n';
}

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
