// Sockets whose packets bear a mark, which Node has no word for.
import { Socket, type SocketConstructorOpts } from 'node:net';
import { setSocketOption, socket } from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_MARK = 36;

/** To be connected. Throws not-root without a capability (NET_ADMIN). */
export function openMarkedTcp(family: 4 | 6, mark: number): Socket {
  const fd = socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
  markSocket(fd, mark);
  // Node would begin to read what is not connected yet.
  const options: SocketConstructorOpts & { manualStart: boolean } = { fd, manualStart: true };
  return new Socket(options);
}

export function markSocket(fd: number, mark: number): void {
  setSocketOption(fd, SOL_SOCKET, SO_MARK, Buffer.from(Uint32Array.of(mark).buffer));
}
