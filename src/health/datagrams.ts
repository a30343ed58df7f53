// One datagram to a real server, and what comes back.
import { createSocket, type Socket } from 'node:dgram';
import { markSocket } from '../kernel/mark.ts';
import { formatAddress } from '../model/address.ts';
import { explain } from './reason.ts';
import type { Target } from './target.ts';
import { down, type Finding } from './verdict.ts';

export interface Reaction {
  /** undefined: it is no answer to what was sent. */
  readonly reply: (message: Buffer) => Finding | undefined;
  /** Nothing came until the signal. */
  readonly silence: () => Finding;
}

/** An ICMP error is down. */
export function sendDatagram(
  target: Target,
  message: Buffer,
  signal: AbortSignal,
  { reply, silence }: Reaction,
): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createSocket(target.address.family === 4 ? 'udp4' : 'udp6');
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(finding);
    };
    const onAbort = (): void => settle(silence());
    const onError = (error: Error): void => {
      const { code } = error as NodeJS.ErrnoException;
      settle(down(code === 'ECONNREFUSED' ? 'the port is unreachable, by ICMP' : explain(error)));
    };
    signal.addEventListener('abort', onAbort);
    socket.on('error', onError);
    socket.on('message', (bytes) => {
      const finding = reply(bytes);
      if (finding !== undefined) settle(finding);
    });
    connect(socket, target, () => socket.send(message, (error) => error && onError(error)));
  });
}

/** Only a connected socket is told of ICMP errors. */
function connect(socket: Socket, { address, port, source, mark }: Target, connected: () => void): void {
  socket.bind({ ...(source && { address: formatAddress(source) }) }, () => {
    if (mark !== undefined) markSocket(descriptorOf(socket), mark);
    socket.connect(port, formatAddress(address), connected);
  });
}

function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}
