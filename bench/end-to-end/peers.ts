// What Fairlead is measured beside, out of Debian's packages: unpacked, not installed, so that no service of theirs starts on this machine.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Peers {
  readonly haproxy: string;
  readonly nginx: string;
  /** nginx's module for TCP and UDP. */
  readonly stream: string;
  /** Where they find their libraries: LD_LIBRARY_PATH. */
  readonly libraries: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Their libraries too, but for those that Debian always has. */
const wanted = ['haproxy', 'nginx', 'libnginx-mod-stream'];
const unusual = /^lib(lua|opentracing|pcre2|ssl)/;
const apt = ['-q', '-o', 'APT::Sandbox::User=root'];
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fairlead', 'peers');

/** A few seconds and a network the first time. */
export function openPeers(): Peers {
  const names = [...wanted, ...libraries()];
  const key = createHash('sha256')
    .update(run('apt-get', [...apt, 'download', '--print-uris', ...names]))
    .digest('hex');
  const folder = join(cache, key.slice(0, 16));
  if (!existsSync(folder)) unpack(names, folder);
  const triplet = readdirSync(join(folder, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')) ?? '';
  const peers = {
    haproxy: join(folder, 'usr/sbin/haproxy'),
    nginx: join(folder, 'usr/sbin/nginx'),
    stream: join(folder, 'usr/lib/nginx/modules/ngx_stream_module.so'),
    libraries: join(folder, 'usr/lib', triplet),
  };
  return { ...peers, versions: readVersions() };
}

/** What they need, and what that needs. */
function libraries(): readonly string[] {
  const own = needs(wanted);
  return [...new Set([...own, ...needs(own)])].sort();
}

function needs(names: readonly string[]): readonly string[] {
  const listing = run('apt-cache', ['depends', '--no-suggests', '--no-recommends', ...names]);
  return (listing.match(/(?<=Depends: )lib[\w.+-]+/g) ?? []).filter((name) => unusual.test(name));
}

function readVersions(): Readonly<Record<string, string>> {
  const candidate = (name: string): string =>
    /Candidate: (\S+)/.exec(run('apt-cache', ['policy', name]))?.[1] ?? 'unknown';
  return { HAProxy: candidate('haproxy'), nginx: candidate('nginx') };
}

function unpack(names: readonly string[], folder: string): void {
  mkdirSync(cache, { recursive: true });
  const stage = mkdtempSync(join(cache, '.build-'));
  try {
    const [downloads, image] = [join(stage, 'downloads'), join(stage, 'image')];
    mkdirSync(downloads);
    run('apt-get', [...apt, 'download', ...names], downloads);
    for (const name of readdirSync(downloads)) run('dpkg-deb', ['-x', join(downloads, name), image]);
    // Two at once make the same: the first to be ready stays.
    if (!existsSync(folder)) renameSync(image, folder);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], cwd = '/'): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });
}
