// vsftpd, as whatever the test wants it to serve.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './network.ts';
import { unpack } from './unpacked.ts';

/** Serves `files` to anybody (as a user that has a home), who may write to `files`/incoming. Active data connections come from port 20. */
export function startVsftpd(host: Host, files: string): void {
  const { root, env } = unpack('vsftpd', 'libwrap0');
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
  host.start(...env, join(root, 'usr/sbin/vsftpd'), settings);
}
