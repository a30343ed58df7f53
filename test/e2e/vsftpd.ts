// vsftpd without its installation, which would start a service: unpacked from its packages, and kept between runs.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host } from './network.ts';

const packages = ['vsftpd', 'libwrap0'];
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fairlead', 'vsftpd');
const apt = ['-o', 'APT::Sandbox::User=root', '-q'];

/** Serves `files` to anybody (as a user that has a home), who may write to `files`/incoming. Active data connections come from port 20. */
export function startVsftpd(host: Host, files: string): void {
  const root = unpacked();
  const empty = join(files, '..', 'empty');
  mkdirSync(empty, { recursive: true });
  const settings = join(files, '..', 'vsftpd.conf');
  const lines = {
    ...{ listen: 'NO', listen_ipv6: 'YES', background: 'NO', seccomp_sandbox: 'NO', secure_chroot_dir: empty },
    ...{ anonymous_enable: 'YES', no_anon_password: 'YES', anon_root: files, ftp_username: 'daemon' },
    ...{ nopriv_user: 'nobody', write_enable: 'YES', anon_upload_enable: 'YES', connect_from_port_20: 'YES' },
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(settings, text.join(''));
  const libraries = ['usr/lib', 'lib'].map((folder) => join(root, folder, `${machine()}-linux-gnu`)).join(':');
  host.start('env', `LD_LIBRARY_PATH=${libraries}`, join(root, 'usr/sbin/vsftpd'), settings);
}

function machine(): string {
  return process.arch === 'x64' ? 'x86_64' : 'aarch64';
}

function unpacked(): string {
  const versions = execFileSync('apt-get', [...apt, 'download', '--print-uris', ...packages], { encoding: 'utf8' });
  const version = /vsftpd_(\S+)\.deb/.exec(versions)?.[1];
  if (version === undefined) throw new Error(`apt knows no vsftpd: ${versions}`);
  const target = join(cache, encodeURIComponent(version));
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  const stage = mkdtempSync(join(cache, '.unpack-'));
  try {
    execFileSync('apt-get', [...apt, 'download', ...packages], { cwd: stage, stdio: 'pipe' });
    for (const name of readdirSync(stage)) {
      execFileSync('dpkg-deb', ['-x', join(stage, name), join(stage, 'root')]);
    }
    renameSync(join(stage, 'root'), target);
  } catch (error) {
    // Another run may have been faster.
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return target;
}
