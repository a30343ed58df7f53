// One TCP connection to a real server, for as long as a checker needs it.
import { type NetConnectOpts, Socket, type TcpSocketConnectOpts } from 'node:net';
import { openMarkedTcp } from '../kernel/mark.ts';
import { formatAddress } from '../model/address.ts';
import { abortion, explain } from './reason.ts';
import type { Target } from './target.ts';
import { down, type Finding } from './verdict.ts';

/** Has begun to connect. */
export function connect({ address, port, source, mark }: Target): Socket {
  const options: TcpSocketConnectOpts & NetConnectOpts = {
    host: formatAddress(address),
    port,
    ...(source && { localAddress: formatAddress(source) }),
  };
  return (mark === undefined ? new Socket() : openMarkedTcp(address.family, mark)).connect(options);
}

/**
 * `converse` is called with the connected socket and settles the finding. A connection that fails, ends or takes too long before
 * that is down. It is reset at the end: a closed one would hold its port here for a minute.
 */
export function withConnection(
  target: Target,
  signal: AbortSignal,
  converse: (socket: Socket, settle: (finding: Finding) => void) => void,
): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect(target);
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      socket.resetAndDestroy();
      resolve(finding);
    };
    const onAbort = (): void => settle(down(`${socket.connecting ? 'connecting' : 'its answer'}: ${abortion(signal)}`));
    signal.addEventListener('abort', onAbort);
    socket.on('error', (error) => settle(down(explain(error))));
    socket.on('connect', () => converse(socket, settle));
    socket.on('end', () => settle(down('it closed the connection before it had answered')));
  });
}
