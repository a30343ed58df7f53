// The emulated machine's kernel, its modules and a busybox, made of this Debian's own packages and kept between runs.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { copyModules } from './modules.ts';

export interface Image {
  readonly kernel: string;
  readonly busybox: string;
  readonly modules: string;
  /** What the additional packages hold, as below /. */
  readonly packages: string;
  /** As `uname -r` says it. */
  readonly release: string;
}

/** What reaches the host's files, and what tests send packets through. */
const MODULES = [
  ...['virtio_pci', '9pnet_virtio', '9p', 'overlay'],
  ...['veth', 'bridge', '8021q', 'sch_ingress', 'cls_bpf'],
];

const apt = ['-o', 'APT::Sandbox::User=root', '-q'];
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fairlead', 'vm');

/** About 20 s the first time, below a second later. Its modules are loaded when the machine starts. */
export function openImage(more: { modules?: readonly string[]; packages?: readonly string[] } = {}): Image {
  const own = [newestKernel(), 'busybox-static'];
  const wanted = { own, packages: more.packages ?? [], modules: [...MODULES, ...(more.modules ?? [])] };
  const versions = run('apt-get', [...apt, 'download', '--print-uris', ...own, ...wanted.packages]);
  const key = createHash('sha256').update(`${versions}${wanted.modules}`).digest('hex').slice(0, 16);
  const folder = join(cache, key);
  if (!existsSync(folder)) build(folder, wanted);
  const release = readFileSync(join(folder, 'release'), 'utf8');
  const [kernel, busybox] = [join(folder, 'vmlinuz'), join(folder, 'busybox')];
  return { kernel, busybox, modules: join(folder, 'modules'), packages: join(folder, 'packages'), release };
}

/** 6.1 on Debian 12. A later release's archive has only its own. */
function newestKernel(): string {
  refreshLists();
  const name = /Depends: (linux-image-\d\S*)/.exec(run('apt-cache', ['depends', 'linux-image-amd64']))?.[1];
  if (!name) throw new Error('apt knows no package linux-image-amd64: is this Debian?');
  return name;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Once a day: by old lists it would be a kernel that no longer is the newest, whose IPVS may behave in other ways. */
function refreshLists(): void {
  const stamp = join(cache, 'refreshed');
  const last = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Date.now() - last < DAY_MS) return;
  run('apt-get', [...apt, 'update']);
  mkdirSync(cache, { recursive: true });
  writeFileSync(stamp, '');
}

interface Wanted {
  readonly own: readonly string[];
  readonly packages: readonly string[];
  readonly modules: readonly string[];
}

function build(folder: string, wanted: Wanted): void {
  mkdirSync(cache, { recursive: true });
  const stage = mkdtempSync(join(cache, '.build-'));
  try {
    const unpacked = join(stage, 'unpacked');
    const image = join(stage, 'image');
    mkdirSync(join(image, 'modules'), { recursive: true });
    unpack(wanted.own, join(stage, 'own'), unpacked);
    unpack(wanted.packages, join(stage, 'more'), join(image, 'packages'));
    const [kernel = ''] = readdirSync(join(unpacked, 'boot')).filter((name) => name.startsWith('vmlinuz-'));
    const release = kernel.slice('vmlinuz-'.length);
    copyFileSync(join(unpacked, 'boot', kernel), join(image, 'vmlinuz'));
    copyFileSync(join(unpacked, 'bin', 'busybox'), join(image, 'busybox'));
    copyModules(join(unpacked, 'lib', 'modules', release, 'kernel'), join(image, 'modules'), wanted.modules);
    writeFileSync(join(image, 'release'), release);
    keep(image, folder);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function unpack(packages: readonly string[], downloads: string, target: string): void {
  for (const path of [downloads, target]) mkdirSync(path);
  if (packages.length > 0) run('apt-get', [...apt, 'download', ...packages], downloads);
  for (const name of readdirSync(downloads)) run('dpkg-deb', ['-x', join(downloads, name), target]);
}

/** Two builds at once make the same: the first to be ready stays. */
function keep(image: string, folder: string): void {
  try {
    renameSync(image, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function run(command: string, args: readonly string[], cwd = '/'): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
