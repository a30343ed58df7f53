// One TCP connection to a real server, for as long as a checker needs it.
import { createConnection, type Socket } from 'node:net';
import { formatAddress } from '../model/address.ts';
import type { Target } from './check.ts';
import { abortion, explain } from './reason.ts';
import { down, type Finding } from './verdict.ts';

/**
 * `converse` is called with the connected socket and settles the finding. A connection that fails, ends or takes too long before
 * that is down. It is reset at the end: a closed one would hold its port here for a minute.
 */
export function withConnection(
  { address, port }: Target,
  signal: AbortSignal,
  converse: (socket: Socket, settle: (finding: Finding) => void) => void,
): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: formatAddress(address), port });
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
