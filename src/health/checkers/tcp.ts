// Does it take a TCP connection, and say what it should?
import type { TcpChecker } from '../../model/check.ts';
import { withConnection } from '../connection.ts';
import { canStillMatch, mismatch } from '../expectation.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

/** What comes after is not looked at. */
const mostBytes = 64 * 1024;

export function checkTcp(target: Target, { send, expect }: TcpChecker, signal: AbortSignal): Promise<Finding> {
  return withConnection(target, signal, (socket, settle) => {
    if (send !== undefined) socket.write(send);
    if (expect === undefined) {
      settle(up('connected'));
      return;
    }
    let reply = Buffer.alloc(0);
    const judge = (isAll: boolean): void => {
      const wrong = mismatch(expect, reply);
      if (wrong === undefined && (isAll || canStillMatch(expect))) settle(up('it answered'));
      else if (wrong !== undefined && isAll) settle(down(`its answer: ${wrong}`));
    };
    socket.on('data', (bytes: Buffer) => {
      reply = Buffer.concat([reply, bytes]);
      judge(reply.length >= mostBytes);
    });
    socket.prependListener('end', () => judge(true));
  });
}
