// Debian packages without their installation, which would start a service: unpacked, and kept between runs.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const caches = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fairlead');
const apt = ['-o', 'APT::Sandbox::User=root', '-q'];

export interface Unpacked {
  /** What would be `/`. */
  readonly root: string;
  /** Begins a command line whose program finds the libraries that are among the packages. */
  readonly env: readonly string[];
}

/** The first package is what the others are for. */
export function unpack(...packages: readonly [string, ...string[]]): Unpacked {
  const root = rootOf(packages);
  const libraries = ['usr/lib', 'lib'].map((folder) => join(root, folder, `${machine()}-linux-gnu`)).join(':');
  return { root, env: ['env', `LD_LIBRARY_PATH=${libraries}`] };
}

function machine(): string {
  return process.arch === 'x64' ? 'x86_64' : 'aarch64';
}

function rootOf([name, ...others]: readonly [string, ...string[]]): string {
  const packages = [name, ...others];
  const versions = execFileSync('apt-get', [...apt, 'download', '--print-uris', ...packages], { encoding: 'utf8' });
  const version = new RegExp(`/${name}_(\\S+)\\.deb`).exec(versions)?.[1];
  if (version === undefined) throw new Error(`apt knows no ${name}: ${versions}`);
  const cache = join(caches, name);
  const target = join(cache, encodeURIComponent(version));
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  const stage = mkdtempSync(join(cache, '.unpack-'));
  try {
    execFileSync('apt-get', [...apt, 'download', ...packages], { cwd: stage, stdio: 'pipe' });
    for (const file of readdirSync(stage)) execFileSync('dpkg-deb', ['-x', join(stage, file), join(stage, 'root')]);
    renameSync(join(stage, 'root'), target);
  } catch (error) {
    // Another run may have been faster.
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return target;
}
