// Does it answer a datagram, or at least take it?
import { createSocket, type Socket } from 'node:dgram';
import { markSocket } from '../../kernel/mark.ts';
import { formatAddress } from '../../model/address.ts';
import type { UdpChecker } from '../../model/check.ts';
import { mismatch } from '../expectation.ts';
import { abortion, explain } from '../reason.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

export function checkUdp(
  target: Target,
  { sendHex, expect, isReplyRequired }: UdpChecker,
  signal: AbortSignal,
): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createSocket(target.address.family === 4 ? 'udp4' : 'udp6');
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(finding);
    };
    const onAbort = (): void =>
      settle(
        isReplyRequired || expect !== undefined
          ? down(abortion(signal))
          : up('nothing tells that the datagram did not arrive'),
      );
    const onError = (error: Error): void => {
      const { code } = error as NodeJS.ErrnoException;
      settle(down(code === 'ECONNREFUSED' ? 'the port is unreachable, by ICMP' : explain(error)));
    };
    signal.addEventListener('abort', onAbort);
    socket.on('error', onError);
    socket.on('message', (reply) => {
      const wrong = expect && mismatch(expect, reply);
      settle(wrong === undefined ? up('it answered') : down(`its answer: ${wrong}`));
    });
    connect(socket, target, () => socket.send(Buffer.from(sendHex, 'hex'), (error) => error && onError(error)));
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
