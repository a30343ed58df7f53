// Telling systemd how far a service is: sd_notify(3).
import { close, sendTo, socket } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const pathBytes = 108;

/** `READY=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=...`. Nothing where nobody waits for it. */
export function tellServiceManager(...lines: readonly string[]): void {
  const path = process.env.NOTIFY_SOCKET;
  if (path === undefined || !/^[/@]/.test(path)) return;
  const name = Buffer.from(path.replace(/^@/, '\0'));
  if (name.length >= pathBytes) return;
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    const family = Buffer.from(Uint16Array.of(AF_UNIX).buffer);
    sendTo(fd, Buffer.from(lines.join('\n')), Buffer.concat([family, name]));
  } finally {
    close(fd);
  }
}
