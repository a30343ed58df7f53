// Does it take a TCP connection?
import type { Target, TcpCheck } from '../check.ts';
import { withConnection } from '../connection.ts';
import { type Finding, up } from '../verdict.ts';

export function checkTcp(target: Target, _: TcpCheck, signal: AbortSignal): Promise<Finding> {
  return withConnection(target, signal, (_socket, settle) => settle(up('connected')));
}
