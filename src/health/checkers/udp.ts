// Does it answer a datagram, or at least take it?
import { createSocket } from 'node:dgram';
import { formatAddress } from '../../model/address.ts';
import type { Target, UdpCheck } from '../check.ts';
import { mismatch } from '../match.ts';
import { abortion, explain } from '../reason.ts';
import { down, type Finding, up } from '../verdict.ts';

export function checkUdp({ address, port }: Target, { send, expect }: UdpCheck, signal: AbortSignal): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6');
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(finding);
    };
    const onAbort = (): void =>
      settle(expect === undefined ? up('nothing tells that it did not arrive') : down(abortion(signal)));
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
    // Only a connected socket is told of ICMP errors.
    socket.connect(port, formatAddress(address), (error?: Error) => {
      if (error) onError(error);
      else socket.send(send, (failure) => failure && onError(failure));
    });
  });
}
