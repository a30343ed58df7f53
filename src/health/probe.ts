// Asks once: whatever the check is, one verdict comes of it, in time.
import type { Checker } from '../model/check.ts';
import { checkAgent } from './checkers/agent.ts';
import { checkDns } from './checkers/dns.ts';
import { checkExec } from './checkers/exec.ts';
import { checkHttp } from './checkers/http.ts';
import { checkIcmp } from './checkers/icmp.ts';
import { checkSmtp } from './checkers/smtp.ts';
import { checkTcp } from './checkers/tcp.ts';
import { checkUdp } from './checkers/udp.ts';
import type { Target } from './target.ts';
import { down, type Finding, unknown, type Verdict } from './verdict.ts';

export type Ask = (target: Target, checker: Checker, timeoutMs: number, signal: AbortSignal) => Promise<Verdict>;

/** Never rejects. When it is aborted it resolves at once. */
export const probe: Ask = async (target, checker, timeoutMs, signal) => {
  if (signal.aborted) return { ...unknown('given up before it was asked'), durationMs: 0 };
  const begun = performance.now();
  const limit = new AbortController();
  const give = (reason: unknown): void => limit.abort(reason);
  const giveUp = (): void => give(signal.reason);
  const timer = setTimeout(() => give(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  signal.addEventListener('abort', giveUp);
  const finding = await ask(target, checker, limit.signal).catch((error: unknown) => down(String(error)));
  clearTimeout(timer);
  signal.removeEventListener('abort', giveUp);
  return { ...finding, durationMs: performance.now() - begun };
};

async function ask(target: Target, checker: Checker, signal: AbortSignal): Promise<Finding> {
  switch (checker.kind) {
    case 'tcp':
      return checkTcp(target, checker, signal);
    case 'http':
    case 'https':
      return checkHttp(target, checker, signal);
    case 'dns':
      return checkDns(target, checker, signal);
    case 'udp':
      return checkUdp(target, checker, signal);
    case 'smtp':
      return checkSmtp(target, checker, signal);
    case 'icmp':
      return checkIcmp(target, checker, signal);
    case 'exec':
      return checkExec(target, checker, signal);
    case 'agent':
      return checkAgent(target, checker, signal);
    case 'passive':
      return unknown('clients tell');
  }
}
