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
  const giveUp = (): void => limit.abort(signal.reason);
  signal.addEventListener('abort', giveUp);
  const cancel = afterPatience(timeoutMs, () => limit.abort(new Error(`no answer within ${timeoutMs} ms`)));
  const finding = await ask(target, checker, limit.signal).catch((error: unknown) => down(String(error)));
  cancel();
  signal.removeEventListener('abort', giveUp);
  return { ...finding, durationMs: performance.now() - begun };
};

/** A timer is late by this when the process itself had no time. */
const lateMs = 20;

/**
 * Calls `expire` when the time is over. While this process was busy, or the machine was, answers could not be looked at: so much
 * longer they have, once. And those that lie there already are looked at first.
 */
function afterPatience(timeoutMs: number, expire: () => void): () => void {
  const due = performance.now() + timeoutMs;
  let immediate: NodeJS.Immediate | undefined;
  const end = (): void => {
    immediate = setImmediate(expire);
  };
  let timer = setTimeout(() => {
    const late = performance.now() - due;
    if (late < lateMs) end();
    else timer = setTimeout(end, Math.min(late, timeoutMs));
  }, timeoutMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}

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
