// Asks once: whatever the check is, one verdict comes of it, in time.
import type { Check, Target } from './check.ts';
import { checkAgent } from './checkers/agent.ts';
import { checkDns } from './checkers/dns.ts';
import { checkExec } from './checkers/exec.ts';
import { checkHttp } from './checkers/http.ts';
import { checkIcmp } from './checkers/icmp.ts';
import { checkSmtp } from './checkers/smtp.ts';
import { checkTcp } from './checkers/tcp.ts';
import { checkUdp } from './checkers/udp.ts';
import { down, type Finding, unknown, type Verdict } from './verdict.ts';

export type Ask = (target: Target, check: Check, timeoutMs: number, signal: AbortSignal) => Promise<Verdict>;

/** Never rejects. When it is aborted it resolves at once. */
export const probe: Ask = async (target, check, timeoutMs, signal) => {
  if (signal.aborted) return { ...unknown('given up before it was asked'), durationMs: 0 };
  const begun = performance.now();
  const limit = new AbortController();
  const give = (reason: unknown): void => limit.abort(reason);
  const giveUp = (): void => give(signal.reason);
  const timer = setTimeout(() => give(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  signal.addEventListener('abort', giveUp);
  const finding = await ask(target, check, limit.signal).catch((error: unknown) => down(String(error)));
  clearTimeout(timer);
  signal.removeEventListener('abort', giveUp);
  return { ...finding, durationMs: performance.now() - begun };
};

async function ask(target: Target, check: Check, signal: AbortSignal): Promise<Finding> {
  switch (check.type) {
    case 'tcp':
      return checkTcp(target, check, signal);
    case 'http':
    case 'https':
      return checkHttp(target, check, signal);
    case 'dns':
      return checkDns(target, check, signal);
    case 'udp':
      return checkUdp(target, check, signal);
    case 'smtp':
      return checkSmtp(target, check, signal);
    case 'icmp':
      return checkIcmp(target, check, signal);
    case 'exec':
      return checkExec(target, check, signal);
    case 'agent':
      return checkAgent(target, check, signal);
  }
}
